"""What counts as personal data here: the names, and the words that speak for or against each.

Data. Names are those of Presidio, so that a policy, a redacted text and a rule written for it go together.
"""

from __future__ import annotations

DEFAULT = frozenset({
    "CREDIT_CARD", "CRYPTO", "DATE_TIME", "EMAIL_ADDRESS", "IBAN_CODE", "IP_ADDRESS", "MAC_ADDRESS",
    "MEDICAL_LICENSE", "PHONE_NUMBER", "UK_NHS", "URL", "US_BANK_NUMBER", "US_DRIVER_LICENSE", "US_ITIN",
    "US_PASSPORT", "US_SSN", "UUID",
})  # fmt: skip
"""Found by recognisers of this package; what is looked for when nothing is named."""

NAMED_BY_MODEL = frozenset({"PERSON", "LOCATION", "NRP", "ORGANIZATION"})
"""Found only by a model that was trained on names."""

FOR = {
    "CREDIT_CARD": "card cards credit debit visa mastercard amex cc pan discover diners jcb maestro payment",
    "CRYPTO": "wallet btc bitcoin crypto eth ethereum",
    "DATE_TIME": "date birthday birth dob born expires expiry expiration issued day due",
    "EMAIL_ADDRESS": "email mail e-mail",
    "IBAN_CODE": "iban bank account transfer",
    "IP_ADDRESS": "ip ipv4 ipv6 address host addr",
    "MAC_ADDRESS": "mac hardware ethernet",
    "MEDICAL_LICENSE": "dea medical prescriber certificate registration physician practitioner",
    "PHONE_NUMBER": "phone telephone tel cell cellphone mobile call fax phones mob landline whatsapp sms text"
    " dial contact telefon handy mobil rufnummer telefono móvil téléphone portable hotline helpline",
    "UK_NHS": "nhs health patient",
    "URL": "url website link site homepage",
    "US_BANK_NUMBER": "account acct bank checking savings deposit debit aba routing",
    "US_DRIVER_LICENSE": "driver drivers driver's license licence dl permit driving cdl lic dlnumber",
    "US_ITIN": "itin taxpayer tax tin taxid",
    "US_PASSPORT": "passport passports travel",
    "US_SSN": "ssn ssns social security ss socialsecurity socialsecuritynumber soc",
    "UUID": "uuid guid",
}  # fmt: skip
"""Words before a match, or in the name of its field, that make it likelier."""

_AGAINST = (
    "id ids order orders sku ref reference tracking ticket invoice build version ver v hash sha sha1 sha256 md5"
    " commit checksum digest timestamp ts epoch time unix seq sequence offset size bytes count total amount"
    " price port pid batch case isbn issn ean upc gtin serial model part page line row qty quantity lat lon"
    " latitude longitude width height latency ms ns us duration request req trace span session txn transaction"
    " job task record item product asset shipment parcel lot revision rev release nonce seed index hits rows"
    " population views uid orderid userid invoiceno po"
)

AGAINST = frozenset(_AGAINST.split())
"""Words right before a number that say it is something else."""

_IDENTIFIER_WORDS = (
    "id ids uid order orders orderid invoice invoiceno tracking ticket sku ref reference timestamp ts epoch isbn ean"
    " upc gtin serial seq sequence build hash sha checksum digest nonce shipment parcel trace span"
)
_IDENTIFIERS = frozenset(_IDENTIFIER_WORDS.split())
_VERSIONS = frozenset({"version", "ver", "v", "release", "build", "firmware", "revision", "rev"})

AGAINST_FOR = {
    "CREDIT_CARD": _IDENTIFIERS,
    **dict.fromkeys(("PHONE_NUMBER", "UK_NHS", "US_BANK_NUMBER", "US_DRIVER_LICENSE", "US_ITIN",
                     "US_PASSPORT", "US_SSN", "MEDICAL_LICENSE"), AGAINST),
    "IP_ADDRESS": _VERSIONS,
    "DATE_TIME": _VERSIONS,
}  # fmt: skip
"""What speaks against a match of each entity."""

CERTAIN = 0.8
"""From this score on, no word changes anything."""

SPEAKS_FOR_ITSELF = {"PHONE_NUMBER": 0.6, "UK_NHS": 0.6}
"""From this score on, by the way it is written, no word speaks against a match of the entity."""

WORDS_FOR = {entity: frozenset(words.split()) for entity, words in FOR.items()}

_NUMBERS = (
    "CREDIT_CARD", "PHONE_NUMBER", "UK_NHS", "US_BANK_NUMBER", "US_DRIVER_LICENSE", "US_ITIN", "US_PASSPORT", "US_SSN",
)  # fmt: skip

NUMBER_WORDS = frozenset().union(*(WORDS_FOR[entity] for entity in _NUMBERS))
"""The words that announce a number of some kind."""


def needs_model(entities: frozenset[str]) -> frozenset[str]:
    """Those of `entities` that only a trained model finds; a policy that names one needs an installed model."""
    return entities & NAMED_BY_MODEL
