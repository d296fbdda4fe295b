# ruff: noqa: E501 - a phrase stays on one line
"""Phrases that are addressed to a model rather than to a reader.

Data: kind, weight and pattern by language. In a pattern a space is any white space or punctuation, `~` up to
four words between, `<...>` a list of `WORDS`. All of them run on RE2, without regard to case.
"""

from __future__ import annotations

WORDS = {
    "ignore": "ignore|disregard|forget|override|bypass|discard"
              "|do not follow|don't follow|stop following|neglect|set aside",
    "prior": "previous|prior|above|earlier|preceding|existing|original|past|foregoing|initial|current|old|other",
    "rules": "instructions?|prompts?|directions?|directives?|rules|guidelines|guidance|commands?|orders|constraints"
             "|programming|restrictions|system messages?|tasks?|polic(?:y|ies)|safeguards",
    "you": "you|yourself|the assistant|the ai|the model|the agent",
    "ai": "ai|a\\.i\\.|ai agents?|llm|llms|language models?|chatbot|assistant|gpt|chatgpt|claude|gemini|copilot|bot",
    "reveal": "reveal|print|show|repeat|output|display|leak|disclose|tell me|give me|write out"
              "|recite|share|expose|dump|summari[sz]e",
    "secret": "api keys?|passwords?|credentials?|secrets?|tokens?|ssh keys?|private keys?|access keys?"
              "|environment variables|env vars?"
              "|session cookies?|cookies",
    "data": "e-?mails?|messages?|files?|documents?|contacts?|conversations?|chat history|inbox"
            "|database|records|customer data|user data"
            "|transcripts?|history|invoices",
    "send": "send|forward|e-?mail|post|upload|transmit|submit|exfiltrate|deliver|copy|leak|bcc",
    "pay": "transfer|wire|pay|send|remit|refund",
}  # fmt: skip

ROWS = r"""
override .85 <ignore> (?:all |any |every |everything )?(?:of )?(?:the |your |my |these |those )?(?:<prior>) ~(?:<rules>)
override .8 <ignore> (?:all |any |every )(?:of )?(?:the |your |my |these |those )?~(?:<rules>)
override .8 (?:<ignore>|reset|clear|erase|wipe) your ~(?:<rules>|training|guardrails|safety)
override .75 <ignore> (?:everything|anything|all|what) ~(?:above|before|until now|so far|previously|earlier|were told|have been told|were given)
override .75 <ignore> (?:the |this )?user'?s? ~(?:request|question|query|instructions?|task|prompt)
override .7 instead of (?:following|answering|completing|doing|summari[sz]ing) ~(?:instructions?|task|request|question|user|document|page)
override .75 (?:your|the) (?:new|updated|real|actual|true|revised) (?:instructions?|task|objective|goal|mission|directives?|orders|system prompt) (?:is|are|follow|now)
override .75 (?:new|updated|real|revised|priority|additional|hidden|secret) (?:system )?(?:instructions?|directives?|task|orders)(?: from| for)? ?(?:the )?(?:<ai>|developer|system|admin|administrator|operator|openai|anthropic)?:
override .7 (?:these|the following|this) (?:instructions?|message|directives?|rules) (?:take|takes|have|has|supersedes?|overrides?|replaces?) ~(?:precedence|priority|instructions?|rules|prompt|previous|all)
override .7 (?:previous|prior|above|earlier|original) (?:instructions?|rules|prompt|directives?|guidelines) (?:are|is|were|have been|has been) ~(?:void|cancelled|canceled|obsolete|revoked|superseded|outdated|suspended|lifted|invalid)
override .7 (?:you|we) (?:no longer|don't|do not) (?:have|need) to (?:follow|obey|comply|respect|adhere)
override .6 (?:end|start|begin|beginning) of (?:the )?(?:system |user )?(?:prompt|instructions|context|untrusted|user input)
override .6 (?:system|admin|developer|security|emergency|maintenance) (?:override|overrides)(?: code| mode| enabled| activated|:)
role .7 (?:you are|you're|you will be) now (?:a |an |the |in )?~(?:dan|jailbroken|unrestricted|unfiltered|free|developer mode|uncensored|evil|root|debug mode|god mode|no longer)
role .65 (?:enter|enable|activate|switch to|enabling|entering|go into) ~(?:dan|god|jailbreak|unrestricted|unfiltered|evil) mode
role .4 (?:enter|enable|activate|switch to|enabling|entering|go into) ~(?:developer|debug|admin|maintenance|sudo|root) mode
role .65 (?:act|pretend|behave|respond|roleplay|role-play|answer|simulate)(?: as| to be| like)?(?: if)? ~(?:no|without|free of|free from|not bound by|unbound by) ~(?:restrictions?|rules|filters?|guidelines|limits|limitations|ethics|policies|safety|censorship)
role .65 (?:without|no|disable|turn off|remove|deactivate|switch off) (?:any |all |your |the )?(?:safety|content|ethical|moral)(?: and \w+)? (?:filters?|restrictions?|guidelines|checks?|limits?|policies|guardrails|protocols|limitations)
role .6 (?:you|model|assistant) (?:can|will|must|should) (?:now )?do anything now
role .5 from (?:now|this point|here) on(?:wards?)? ~(?:you (?:are|will|must|should|shall|always|only)|always (?:respond|answer|reply)|respond only|your name)
leak .75 <reveal> (?:me |us )?(?:all |the |your |back )?(?:of )?(?:the |your )?(?:full |entire |complete |exact |hidden |original |initial |secret |verbatim )*(?:system|initial|hidden|developer|original|secret)(?: \w+)? (?:prompts?|instructions?|messages?|rules|configuration)
leak .7 <reveal> ~(?:your|the) (?:instructions|prompt|rules|guidelines) (?:verbatim|word for word|in full|exactly|above|in a code block)
leak .65 (?:repeat|print|output|echo|copy) (?:everything|all|the text|the words|all text|all words|the content) ~(?:above|before this|so far)
leak .55 what (?:is|are|was|were) (?:your|the) (?:exact |full |initial |original |hidden )?(?:system prompt|system message|initial instructions|hidden instructions|initial prompt)
secrecy .65 (?:do not|don't|never|without|must not|should not|avoid|dont) (?:ever )?(?:tell(?:ing)?|inform(?:ing)?|mention(?:ing)?|alert(?:ing)?|reveal(?:ing)?|disclos(?:e|ing)|say(?:ing)?|warn(?:ing)?) ~(?:the user|the human|the users|your user|the customer|the operator|your operator|anyone about this|the person|to anyone that)
secrecy .65 (?:do not|don't|never) (?:mention|reveal|disclose|reference|acknowledge|refer to) (?:this|these|that you|the existence of|having)(?: \w+)? ?(?:instructions?|messages?|text|prompt|notes?|comments?|steps?|received|read|were)
secrecy .6 (?:keep|make|do) (?:this|it|these) ~(?:secret|hidden|silently|quietly|invisible|confidential) from ~(?:user|human|customer|operator)
secrecy .55 (?:silently|secretly|quietly|covertly|discreetly|in the background) (?:and )?(?:<send>|call|run|execute|delete|add|include|append|change|fetch|read|open|invite)
secrecy .4 (?:the )?user (?:must|should|does|need|needs|will)(?: not|n't| never) ~(?:know|see|notice|learn|be told|be informed|be aware|find out|be asked|confirm)
secrecy .5 (?:without|no need for|skip|do not wait for|don't ask for) (?:any |the )?(?:asking|confirmation|approval|user'?s? (?:confirmation|approval|consent|permission))
addressed .6 (?:attention|important|note|notice|message|instructions?|warning|urgent|reminder|memo)(?: to| for)?,? (?:all |any |the |every )?(?:<ai>)(?: assistants?| agents?| models?| systems?| bots?)?(?: reading| processing| that| who|s?:|,|!| -)
addressed .65 (?:if|when|since|as) (?:you are|you're) (?:a |an |the )?(?:<ai>)(?: assistant| agent| model| system| bot)?(?: and| reading| processing| that|,| you)
addressed .55 (?:any|every|all|the|this) (?:<ai>)(?: assistants?| agents?| models?| systems?)?s? (?:reading|processing|parsing|summari[sz]ing|handling|that reads|analy[sz]ing|reviewing|evaluating|screening) ~(?:must|should|shall|has to|have to|is required|are required|needs to)
addressed .55 (?:as|being) (?:a |an |the )?(?:<ai>)(?: assistant| agent| model)?,? (?:you|your) ~(?:must|should|shall|have to|are required|need to|job is|task is)
addressed .5 (?:assistant|ai|agent|model|chatbot|llm)[:,] (?:please )?(?:call|use|run|execute|invoke|send|forward|ignore|open|visit|delete|transfer|respond|reply|say|output|read|fetch|approve|give)
action .6 <send> ~(?:<secret>) ~(?:to|at|via|into|through|towards)
action .45 <send> (?:all |every |the |any |a copy of |copies of |these |those |his |her |their |this )*(?:of )?(?:the |my |your )?(?:user'?s? |customer'?s? |latest |last |entire |whole |recent |unread |private |confidential )*(?:<data>) ~(?:to) \S*(?:@|https?:|www\.)
action .55 (?:append|include|add|embed|encode|attach|insert|put) ~(?:<secret>|<data>|system prompt|conversation) ~(?:url|link|image|query string|parameter|query parameter|markdown)
action .5 (?:<pay>) (?:the )?(?:\S{1,4} ?\d[\d.,]*|\d[\d.,]* ?\S{1,4}|the (?:full )?(?:balance|amount|funds)|all (?:funds|money)) ~(?:to|into) ~(?:account|iban|wallet|address|me|[a-z]{2}\d{2})
action .55 (?:immediately|urgently|right away|right now|at once|asap|without delay|urgent|as soon as) ~(?:<pay>|forward|wire|upload|buy|purchase) ~(?:to|into|from|for|all|the)
action .55 (?:read|open|cat|fetch|get|print|load|dump) (?:the )?(?:contents? of |file )?(?:~/|\$home/|/etc/|/root/|/home/\S{1,40}/)?\.?(?:ssh/id_\w{1,10}|aws/credentials|env|netrc|etc/passwd|passwd|shadow)(?:\s|,|$| and)
action .5 (?:run|execute|type|paste)(?: the)?(?: following)?(?: \S+){0,4}? (?:curl|wget) (?:\S+ )?https?://
action .5 (?:execute|run|and run|source) the \S* ?(?:script|file|code|program) (?:at|from) https?://
action .4 (?:run|execute) \S{0,4}(?:rm -rf|eval|nc -|powershell -e)
action .5 (?:call|use|invoke|trigger|execute|run) (?:the )?\S{0,3}(?:[a-z]+_[a-z_]+|\w+ (?:tool|function|api))\S{0,3} (?:tool |function |with |to |and )~(?:with|to|delete|send|email|transfer|password|admin|@|invite|grant)
action .5 (?:grant|give|add|invite|share) ~(?:access|admin|permissions?|owner|editor|collaborator|rights) ~(?:to|for|as) \S*@
action .5 (?:rate|score|rank|recommend|approve|accept|classify|evaluate|mark|label) (?:this|the|our) (?:candidate|applicant|paper|product|resume|cv|submission|essay|review|message|request|invoice|email|transaction|document) ~(?:as|with|at|above|highest|best|positive|safe|10|approved|benign|top)
override .85 (?:ignorier(?:e|en)?|vergiss|vergessen sie|missachte|überschreibe|verwirf|beachte) ~(?:vorherigen?|bisherigen?|obigen?|früheren?|vorigen?|alle|vorangegangenen?|ursprünglichen?) ~(?:anweisung(?:en)?|instruktionen|befehle|vorgaben|regeln|richtlinien|aufforderung(?:en)?|aufgaben?)
leak .7 (?:zeige?|verrate?|nenne?|gib|drucke?|wiederhole?|offenbare) ~(?:system.?prompt|systemanweisung(?:en)?|systemaufforderung|internen anweisungen|ursprünglichen anweisungen)
secrecy .65 (?:sag|sage|erzähle?|verrate?|teile?|informiere?|erwähne|melde)(?: es| dies| das| davon)? ~(?:nutzer|benutzer|anwender|kunden) ~(?:nicht|nichts|kein wort|niemals)
role .6 (?:du bist|sie sind|verhalte dich|tu so|antworte) (?:jetzt|nun|ab jetzt|ab sofort|als) ~(?:ohne|uneingeschränkte?r?|unzensierte?r?|entwicklermodus|keine)
action .55 (?:sende|schicke?|leite|übermittle|überweise?|lade) ~(?:passw\S+|zugangsdaten|api.?schlüssel|kontakte|e-?mails|nachrichten|dateien|\d+ ?(?:€|euro)) ~(?:an|auf|weiter)
override .85 (?:ignore[zr]?|oublie[zr]?|ne tiens pas compte|ne tenez pas compte|fais abstraction|néglige[zr]?) ~(?:instructions?|consignes?|directives?|règles|ordres) ~(?:précédente?s?|antérieure?s?|ci-dessus|initiale?s?|reçue?s?)
leak .7 (?:affiche[zr]?|révèle[zr]?|montre[zr]?|donne[zr]?|répète[zr]?|imprime[zr]?) ~(?:prompt système|invite système|instructions système|consignes initiales|instructions initiales|prompt initial|instructions internes)
secrecy .65 (?:ne |n')(?:dis|dites|mentionne|mentionnez|informe|informez|révèle|révélez|préviens|prévenez|parle|parlez) ~(?:pas|rien|jamais) ~(?:utilisateur|client|usager)
role .6 (?:tu es|vous êtes|agis|comporte-toi|réponds) (?:désormais|maintenant|à présent|comme) ~(?:sans|aucune|illimitée?|mode développeur|non censurée?)
action .55 (?:envoie|envoyez|transfère|transférez|transmets|transmettez|vire|virez) ~(?:mots? de passe|identifiants|clés?|contacts|courriels|e-?mails|messages|fichiers|\d+ ?(?:€|euros)) ~(?:à|vers|sur)
override .85 (?:ignora|ignore|olvida|olvide|descarta|haz caso omiso|omite) ~(?:instrucciones|órdenes|indicaciones|reglas|directrices) ~(?:anteriores|previas|precedentes|de arriba|iniciales|recibidas)
override .85 (?:ignora|ignore|olvida|olvide|descarta|omite) (?:todas? |las? |los )*(?:anteriores|previas) (?:instrucciones|órdenes|reglas)
leak .7 (?:muestra|muéstrame|revela|imprime|dime|repite|enséñame) ~(?:prompt del sistema|instrucciones del sistema|mensaje del sistema|instrucciones iniciales|prompt inicial|instrucciones internas)
secrecy .65 (?:no|nunca) (?:se lo |le |les )?(?:digas|diga|menciones|mencione|informes|informe|reveles|revele|avises|cuentes) ~(?:usuario|cliente|usuaria)
action .55 (?:envía|envíe|reenvía|reenvíe|manda|transfiere|transfiera) ~(?:contraseñas?|credenciales|claves?|contactos|correos|mensajes|archivos|\d+ ?(?:€|euros|dólares)) ~(?:a|hacia)
override .85 (?:ignore|esqueça|desconsidere|descarte) ~(?:instruções|ordens|regras|orientações|diretrizes) ~(?:anteriores|prévias|acima|iniciais|recebidas)
leak .7 (?:mostre|revele|exiba|imprima|repita|diga) ~(?:prompt do sistema|instruções do sistema|mensagem do sistema|instruções iniciais|prompt inicial|instruções internas)
secrecy .65 (?:não|nunca) (?:diga|conte|mencione|informe|revele|avise) ~(?:usuário|utilizador|cliente)
action .55 (?:envie|encaminhe|transfira|mande) ~(?:senhas?|credenciais|chaves?|contatos|e-?mails|mensagens|arquivos) ~(?:para|ao)
override .85 (?:ignora|ignorate|dimentica|dimenticate|trascura|non considerare) ~(?:istruzioni|ordini|regole|indicazioni|direttive) ~(?:precedenti|di cui sopra|iniziali|ricevute)
override .85 (?:ignora|dimentica) (?:tutte |le )*precedenti (?:istruzioni|regole|indicazioni)
leak .7 (?:mostra|mostrami|rivela|stampa|ripeti|dimmi) ~(?:prompt di sistema|istruzioni di sistema|messaggio di sistema|istruzioni iniziali|prompt iniziale|istruzioni interne)
secrecy .65 (?:non|mai) (?:dire|dirlo|menzionare|informare|rivelare|avvisare|dica) ~(?:utente|cliente)
action .55 (?:invia|inoltra|trasferisci|manda) ~(?:password|credenziali|chiavi|contatti|e-?mail|messaggi|file) ~(?:a|all'|verso)
override .85 (?:negeer|vergeet|sla) ~(?:vorige|eerdere|voorgaande|bovenstaande|alle|oorspronkelijke) ~(?:instructies|opdrachten|regels|aanwijzingen|richtlijnen)
leak .7 (?:toon|laat|onthul|print|herhaal|geef) ~(?:systeemprompt|systeeminstructies|systeembericht|oorspronkelijke instructies|interne instructies)
secrecy .65 (?:vertel|zeg|meld|informeer|laat)(?: het| dit| hierover)? ~(?:gebruiker|klant) ~(?:niet|niets|nooit)
action .55 (?:stuur|verzend|mail|maak) ~(?:wachtwoord(?:en)?|inloggegevens|sleutels?|contacten|e-?mails|berichten|bestanden|\d+ ?euro) ~(?:naar|door|over)
override .85 (?:忽略|无视|無視|忘记|忘記|忽視|不要理会|不要遵守|跳过).{0,12}(?:指令|指示|提示|说明|說明|规则|規則|命令|要求)
leak .7 (?:显示|顯示|输出|輸出|告诉我|告訴我|透露|打印|重复|重複|公开).{0,10}(?:系统提示|系統提示|系统指令|系統指令|初始指令|提示词|隐藏指令)
secrecy .65 (?:不要|别|請勿|请勿|切勿|不得|勿).{0,4}(?:告诉|告訴|告知|通知|提醒|透露给).{0,6}(?:用户|用戶|使用者|客户|客戶)
role .6 (?:你现在是|从现在起你|從現在起你|现在你是|请扮演|假装你是|你將扮演).{0,20}(?:没有|沒有|不受|无限制|無限制|开发者模式|不再)
action .55 (?:将|把|請將|请将|发送|發送|转发|轉發|上传).{0,14}(?:密码|密碼|密钥|金鑰|凭证|邮件|郵件|联系人|文件|聊天记录).{0,14}(?:发送|發送|转发|轉發|上传|到|至|给)
override .85 (?:これまで|以前|上記|前|先|すべて|全て|今まで|元).{0,12}(?:指示|命令|プロンプト|ルール|指令|制約).{0,8}(?:無視|忘れ|破棄|従わ(?:ない|ず)|取り消)
leak .7 (?:システムプロンプト|システム指示|初期指示|内部指示|システムメッセージ|隠された指示).{0,10}(?:表示|教え|出力|見せ|公開|開示|繰り返)
secrecy .65 (?:ユーザー|利用者|お客様|使用者)(?:に|には|へ).{0,10}(?:言わない|伝えない|知らせない|教えない|報告しない|通知しない|言うな|伝えずに|知らせずに|気づかれない)
role .6 (?:あなたは|君は)(?:今から|これから|今後|もう).{0,16}(?:制限のない|無制限|開発者モード|制限なし|縛られない)
action .55 (?:パスワード|認証情報|apiキー|秘密鍵|連絡先|メール|ファイル|履歴).{0,14}(?:に|へ|宛に).{0,6}(?:送信|転送|送って|アップロード)
override .85 (?:игнорируй(?:те)?|забудь(?:те)?|проигнорируй(?:те)?|отбрось(?:те)?|не обращай(?:те)? внимания на|отмени(?:те)?) ~(?:инструкци\S*|указани\S*|правил\S*|команд\S*|распоряжени\S*)
leak .7 (?:покажи(?:те)?|раскрой(?:те)?|выведи(?:те)?|напечатай(?:те)?|повтори(?:те)?|назови(?:те)?) ~(?:системный промпт|системные инструкции|системную подсказку|системное сообщение|исходные инструкции|внутренние инструкции|свой промпт)
secrecy .65 (?:не|никогда не) (?:говори(?:те)?|сообщай(?:те)?|рассказывай(?:те)?|упоминай(?:те)?|раскрывай(?:те)?|предупреждай(?:те)?) ~(?:пользовател\S*|клиент\S*)
role .6 (?:теперь ты|ты теперь|отныне ты|с этого момента ты) ~(?:без|не ограничен\S*|режим\S* разработчика|неограничен\S*|свободн\S*)
action .55 (?:отправь(?:те)?|перешли(?:те)?|передай(?:те)?|загрузи(?:те)?|переведи(?:те)?) ~(?:парол\S*|учётн\S*|ключ\S*|контакт\S*|письм\S*|сообщени\S*|файл\S*|\d+ ?руб\S*) ~(?:на|в|по)
override .65 (?:instructions?|rules|guidelines|orders) (?:that )?you (?:received|got|were given|had|have|follow) ~(?:outdated|obsolete|void|wrong|cancelled|revoked|no longer|invalid|false)
override .6 (?:consider|treat|regard) ~(?:conversation|instructions?|rules|guidelines|restrictions|everything) ~(?:cancelled|void|over|suggestions?|obsolete|optional|invalid)
override .5 (?:before|after) you (?:can )?(?:solve|finish|complete|continue with|start|do) the (?:task|request|user's request|job)
leak .65 <reveal> ~(?:rules|instructions?|prompt|guidelines|directives) (?:that )?(?:you (?:follow|were given|have|received|got|obey)|are hidden|hidden|given to you)
leak .65 (?:<reveal>|respond|reply|answer|translate) ~(?:words|lines|part|sentences?|characters|beginning|contents?|text|version) of (?:your|the) ~(?:instructions|prompt|developer message|system message|rules)
leak .6 translate your (?:system )?(?:prompt|instructions|rules)
secrecy .45 (?:never|do not|don't|no longer|not) (?:have to )?(?:ask|wait)(?: me| them| the user)?(?: for)? (?:confirmation|approval|permission|consent)
secrecy .4 (?:don't|do not|never) (?:notify|ask|show|let) the (?:user|human)
addressed .6 (?:note|message|memo|instructions?|information|hint|request) (?:to|for) (?:the |any |all |every )?(?:language )?(?:models?|ais?|llms?|assistants?|chatbots?|ai \w+)(?: reading| processing| that|:|,| -)
action .55 (?:tell|instruct|convince|persuade|inform) the user (?:\S+ ){0,14}?(?:visit|click|call|enter|pay|download|open|send|install|log in)\s
action .6 (?:<reveal>|collect|read|gather|find|export|grab|steal) ~(?:<secret>) (?:and|then) (?:\S+ )?(?:<send>)
action .4 <reveal> ~(?:all |stored |saved |database |admin |your |secret |the )(?:\S+ )?(?:<secret>)
action .5 (?:copy|paste|put|append|post|push|include) ~(?:\.env|id_rsa|\.ssh|\.aws|secrets folder|secrets file)(?:\s|,|$) ?(?:file |folder )?(?:into|to|in|on)
action .5 (?:save|store|add|write|commit) ~(?:your |long-term |permanent )+memory
action .5 use (?:your|the) memory ~(?:remember|store|save)
action .5 (?:invite|add|grant) \S*@\S* (?:to|as|access|admin|owner)
action .4 (?:change|replace|update|redirect) ~(?:recipient|iban|payee|beneficiary|bank account) ~to
exfiltration .55 https?://\S*[?=/] (?:followed by|and append|plus|with) ~(?:user'?s?|conversation|chat|message|password|data|token|secret)
"""
