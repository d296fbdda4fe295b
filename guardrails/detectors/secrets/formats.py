"""The formats of keys and tokens that can be told by their own spelling.

Data, one format a line: the literal that is looked for; how many characters before it the token begins
(`digits`: a run of digits); the pattern of the whole token; a check of `checks`, or `-`; what it is. Written
from what the issuers publish about prefixes, alphabets, lengths and checksums.
"""

from __future__ import annotations

ROWS = r"""
AKIA 0 AKIA[A-Z2-7]{16} - an AWS access key id
ASIA 0 ASIA[A-Z2-7]{16} - an AWS temporary access key id
ABIA 0 ABIA[A-Z2-7]{16} - an AWS service bearer key id
ACCA 0 ACCA[A-Z2-7]{16} - an AWS context-specific key id
ABSK 0 ABSK[A-Za-z0-9+/]{109,200}={0,2} - an AWS Bedrock key
amzn.mws. 0 amzn\.mws\.[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12} - an Amazon MWS token
AIza 0 AIza[A-Za-z0-9_-]{35} - a Google API key
ya29. 0 ya29\.[A-Za-z0-9_-]{20,400} - a Google OAuth access token
GOCSPX- 0 GOCSPX-[A-Za-z0-9_-]{28} - a Google OAuth client secret
1//0 0 1//0[A-Za-z0-9_-]{40,120} - a Google OAuth refresh token
GOOG1E 0 GOOG1E[A-Z0-9]{55} - a Google Cloud HMAC key id
Q~ 4 [A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34} - a Microsoft Entra client secret
+ASt 76 [A-Za-z0-9+/]{76}\+ASt[A-Za-z0-9+/]{6}== - an Azure Storage key
+ABa 76 [A-Za-z0-9+/]{76}\+ABa[A-Za-z0-9+/]{6}== - an Azure Batch key
ACDb 76 [A-Za-z0-9+/]{76}ACDb[A-Za-z0-9+/]{6}== - an Azure Cosmos DB key
+ASb 33 [A-Za-z0-9+/]{33}\+ASb[A-P][A-Za-z0-9+/]{5}= - an Azure Service Bus key
+AEh 33 [A-Za-z0-9+/]{33}\+AEh[A-P][A-Za-z0-9+/]{5}= - an Azure Event Hubs key
+ARm 33 [A-Za-z0-9+/]{33}\+ARm[A-P][A-Za-z0-9+/]{5}= - an Azure Relay key
AIoT 33 [A-Za-z0-9+/]{33}AIoT[A-P][A-Za-z0-9+/]{5}= - an Azure IoT key
AzCa 33 [A-Za-z0-9]{33}AzCa[A-P][A-Za-z0-9]{5}= - an Azure Cache for Redis key
AzSe 42 [A-Za-z0-9]{42}AzSe[A-D][A-Za-z0-9]{5} - an Azure Search key
AzFu 44 [A-Za-z0-9_-]{44}AzFu[A-Za-z0-9_-]{5}[AQgw]== - an Azure Functions key
+ACR 42 [A-Za-z0-9+/]{42}\+ACR[A-D][A-Za-z0-9+/]{5} - an Azure Container Registry key
JQQJ99 52 [A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{26} - an Azure service key
ghp_ 0 ghp_[A-Za-z0-9]{36} crc_base62 a GitHub personal access token
gho_ 0 gho_[A-Za-z0-9]{36} crc_base62 a GitHub OAuth token
ghu_ 0 ghu_[A-Za-z0-9]{36} crc_base62 a GitHub user-to-server token
ghs_ 0 ghs_[A-Za-z0-9]{36} crc_base62 a GitHub server-to-server token
ghr_ 0 ghr_[A-Za-z0-9]{36,76} crc_base62 a GitHub refresh token
github_pat_ 0 github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59} - a GitHub fine-grained token
glpat- 0 glpat-[A-Za-z0-9_-]{20,300}(?:\.[0-9a-z]{2}\.?[0-9a-z]{7,9})? - a GitLab personal access token
gldt- 0 gldt-[A-Za-z0-9_-]{20,64} - a GitLab deploy token
glrt- 0 glrt-[A-Za-z0-9_-]{20,300}(?:\.[0-9a-z]{2}\.?[0-9a-z]{7,9})? - a GitLab runner token
glcbt- 0 glcbt-[0-9a-zA-Z]{1,5}_[A-Za-z0-9_-]{20,64} - a GitLab CI job token
glptt- 0 glptt-[0-9a-f]{40} - a GitLab trigger token
glft- 0 glft-[A-Za-z0-9_-]{20,64} - a GitLab feed token
glimt- 0 glimt-[A-Za-z0-9_-]{25,64} - a GitLab incoming mail token
glagent- 0 glagent-[A-Za-z0-9_-]{50,1000} - a GitLab agent token
gloas- 0 gloas-[A-Za-z0-9_-]{64} - a GitLab OAuth application secret
glsoat- 0 glsoat-[A-Za-z0-9_-]{20,64} - a GitLab SCIM token
GR1348941 0 GR1348941[A-Za-z0-9_-]{20} - a GitLab runner registration token
ATBB 0 ATBB[A-Za-z0-9]{28}[0-9A-F]{4} - a Bitbucket app password
ATATT3xFf 0 ATATT3xFf[A-Za-z0-9_=-]{60,300} - an Atlassian API token
ATCTT3xFf 0 ATCTT3xFf[A-Za-z0-9_=-]{60,300} - a Bitbucket access token
xoxb- 0 xoxb-[0-9]{10,14}-[A-Za-z0-9-]{20,80} - a Slack bot token
xoxp- 0 xoxp-[0-9]{10,14}-[A-Za-z0-9-]{40,120} - a Slack user token
xoxa- 0 xoxa-[0-9]{1,14}-[A-Za-z0-9-]{20,120} - a Slack app token
xoxr- 0 xoxr-[0-9]{1,14}-[A-Za-z0-9-]{20,120} - a Slack refresh token
xoxc- 0 xoxc-[0-9]{10,14}-[A-Za-z0-9-]{40,120} - a Slack client token
xoxe- 0 xoxe-[0-9]-[A-Za-z0-9-]{100,200} - a Slack configuration refresh token
xoxe.xox 0 xoxe\.xox[bp]-[0-9]-[A-Za-z0-9]{100,200} - a Slack configuration token
xapp- 0 xapp-[0-9]-[A-Z0-9]{8,14}-[0-9]{10,14}-[0-9a-f]{64} - a Slack app-level token
hooks.slack.com/ 0 hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/]{40,80} - a Slack webhook
discord.com/api/webhooks/ 0 discord\.com/api/webhooks/[0-9]{17,20}/[A-Za-z0-9_-]{60,80} - a Discord webhook
discordapp.com/api/webhooks/ 0 discordapp\.com/api/webhooks/[0-9]{17,20}/[A-Za-z0-9_-]{60,80} - a Discord webhook
.webhook.office.com/ 0 \.webhook\.office\.com/webhookb2/[A-Za-z0-9@/-]{80,200} - a Teams webhook
:AA digits [0-9]{8,10}:AA[A-Za-z0-9_-]{33} - a Telegram bot token
sk_live_ 0 sk_live_[A-Za-z0-9]{24,200} - a Stripe secret key
sk_test_ 0 sk_test_[A-Za-z0-9]{24,200} - a Stripe secret key for tests
rk_live_ 0 rk_live_[A-Za-z0-9]{24,200} - a Stripe restricted key
rk_test_ 0 rk_test_[A-Za-z0-9]{24,200} - a Stripe restricted key for tests
whsec_ 0 whsec_[A-Za-z0-9+/]{32,64}={0,2} - a webhook signing secret
sk-proj- 0 sk-proj-[A-Za-z0-9_-]{40,200} - an OpenAI project key
sk-svcacct- 0 sk-svcacct-[A-Za-z0-9_-]{40,200} - an OpenAI service account key
sk-admin- 0 sk-admin-[A-Za-z0-9_-]{40,200} - an OpenAI admin key
T3BlbkFJ 23 sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20} - an OpenAI key
sk-ant- 0 sk-ant-(?:api|admin|oat|ort|sid)[0-9]{2}-[A-Za-z0-9_-]{80,120} - an Anthropic key
sk-or-v1- 0 sk-or-v1-[0-9a-f]{64} - an OpenRouter key
sk-lf- 0 sk-lf-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12} - a Langfuse secret key
gsk_ 0 gsk_[A-Za-z0-9]{52} - a Groq key
xai- 0 xai-[A-Za-z0-9]{80} - an xAI key
pplx- 0 pplx-[A-Za-z0-9]{48,56} - a Perplexity key
hf_ 0 hf_[A-Za-z]{34} - a Hugging Face token
api_org_ 0 api_org_[A-Za-z]{34} - a Hugging Face organisation token
r8_ 0 r8_[A-Za-z0-9]{37} - a Replicate token
csk- 0 csk-[a-z0-9]{48} - a Cerebras key
nvapi- 0 nvapi-[A-Za-z0-9_-]{60,70} - an NVIDIA key
tvly- 0 tvly-(?:dev-|prod-)?[A-Za-z0-9]{32} - a Tavily key
lsv2_ 0 lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10} - a LangSmith key
pcsk_ 0 pcsk_[A-Za-z0-9]{5,6}_[A-Za-z0-9]{60,72} - a Pinecone key
npm_ 0 npm_[A-Za-z0-9]{36} crc_base62 an npm token
pypi-AgE 0 pypi-AgE[A-Za-z0-9_-]{50,800} macaroon a PyPI token
rubygems_ 0 rubygems_[0-9a-f]{48} - a RubyGems key
dckr_pat_ 0 dckr_pat_[A-Za-z0-9_-]{27} - a Docker access token
dckr_oat_ 0 dckr_oat_[A-Za-z0-9_-]{32} - a Docker organisation token
CLOJARS_ 0 CLOJARS_[0-9a-f]{60} - a Clojars token
oy2 0 oy2[a-z0-9]{43} - a NuGet key
AKCp 0 AKCp[A-Za-z0-9]{69} - an Artifactory key
cmVmdGtu 0 cmVmdGtu[A-Za-z0-9]{56} - an Artifactory reference token
SG. 0 SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43} - a SendGrid key
xkeysib- 0 xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16} - a Brevo key
xsmtpsib- 0 xsmtpsib-[0-9a-f]{64}-[A-Za-z0-9]{16} - a Brevo SMTP key
-us 32 [0-9a-f]{32}-us[0-9]{1,2} - a Mailchimp key
key- 0 key-[0-9a-f]{32} - a Mailgun key
shpat_ 0 shpat_[0-9a-fA-F]{32} - a Shopify access token
shpca_ 0 shpca_[0-9a-fA-F]{32} - a Shopify custom app token
shppa_ 0 shppa_[0-9a-fA-F]{32} - a Shopify private app token
shpss_ 0 shpss_[0-9a-fA-F]{32} - a Shopify shared secret
sq0atp- 0 sq0atp-[A-Za-z0-9_-]{22} - a Square access token
sq0csp- 0 sq0csp-[A-Za-z0-9_-]{43} - a Square OAuth secret
access_token$ 0 access_token\$(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32} - a Braintree access token
FLWSECK 0 FLWSECK(?:_TEST)?-[0-9a-zA-Z]{12,40}(?:-X)? - a Flutterwave secret key
dop_v1_ 0 dop_v1_[0-9a-f]{64} - a DigitalOcean token
doo_v1_ 0 doo_v1_[0-9a-f]{64} - a DigitalOcean OAuth token
dor_v1_ 0 dor_v1_[0-9a-f]{64} - a DigitalOcean refresh token
HRKU- 0 HRKU-[A-Za-z0-9_-]{36,64} - a Heroku key
fm2_ 0 fm2_[A-Za-z0-9+/_-]{80,1000}={0,3} - a Fly.io token
nfp_ 0 nfp_[A-Za-z0-9]{36,40} - a Netlify token
rnd_ 0 rnd_[A-Za-z0-9]{28,40} - a Render key
sbp_ 0 sbp_[0-9a-f]{40} - a Supabase token
sb_secret_ 0 sb_secret_[A-Za-z0-9_-]{31,44} - a Supabase secret key
pscale_tkn_ 0 pscale_tkn_[A-Za-z0-9_.=-]{32,64} - a PlanetScale token
pscale_pw_ 0 pscale_pw_[A-Za-z0-9_.=-]{32,64} - a PlanetScale password
dapi 0 dapi[0-9a-f]{32}(?:-[0-9])? - a Databricks token
dp.pt. 0 dp\.pt\.[A-Za-z0-9]{40,44} - a Doppler personal token
dp.st. 0 dp\.st\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44} - a Doppler service token
hvs. 0 hvs\.[A-Za-z0-9_-]{24,200} - a Vault service token
hvb. 0 hvb\.[A-Za-z0-9_-]{100,300} - a Vault batch token
.atlasv1. 14 [A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70} - a Terraform Cloud token
pul- 0 pul-[0-9a-f]{40} - a Pulumi token
glsa_ 0 glsa_[A-Za-z0-9]{32}_[0-9a-f]{8} crc_hex a Grafana service account token
glc_ 0 glc_[A-Za-z0-9+/]{32,400}={0,3} - a Grafana Cloud token
NRAK- 0 NRAK-[A-Z0-9]{27} - a New Relic user key
NRII- 0 NRII-[A-Za-z0-9_-]{32} - a New Relic insights key
sntrys_ 0 sntrys_eyJ[A-Za-z0-9+/=_-]{80,400} - a Sentry organisation token
sntryu_ 0 sntryu_[0-9a-f]{64} - a Sentry user token
dt0c01. 0 dt0c01\.[A-Z2-7]{24}\.[A-Z2-7]{64} - a Dynatrace token
phx_ 0 phx_[A-Za-z0-9]{40,50} - a PostHog personal key
CFPAT- 0 CFPAT-[A-Za-z0-9_-]{43} - a Contentful token
ntn_ 0 ntn_[A-Za-z0-9]{40,50} - a Notion token
lin_api_ 0 lin_api_[A-Za-z0-9]{40} - a Linear key
.pat 14 pat[A-Za-z0-9]{11}\.pat[0-9a-f]{60} - an Airtable token
figd_ 0 figd_[A-Za-z0-9_-]{40,50} - a Figma token
PMAK- 0 PMAK-[0-9a-f]{24}-[0-9a-f]{34} - a Postman key
ops_eyJ 0 ops_eyJ[A-Za-z0-9+/]{240,1000}={0,3} - a 1Password service account token
AGE-SECRET-KEY-1 0 AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58} bech32 an age secret key
nsec1 0 nsec1[qpzry9x8gf2tvdw0s3jn54khce6mua7l]{58} bech32 a Nostr secret key
xprv 0 xprv[1-9A-HJ-NP-Za-km-z]{107} base58check a Bitcoin extended private key
tskey- 0 tskey-[a-z]{3,10}-[A-Za-z0-9]{10,20}-[A-Za-z0-9]{20,40} - a Tailscale key
bkua_ 0 bkua_[0-9a-f]{40} - a Buildkite token
CCIPAT_ 0 CCIPAT_[A-Za-z0-9]{22}_[0-9a-f]{40} - a CircleCI token
sqp_ 0 sqp_[0-9a-f]{40} - a SonarQube project token
squ_ 0 squ_[0-9a-f]{40} - a SonarQube user token
sqa_ 0 sqa_[0-9a-f]{40} - a SonarQube analysis token
pnu_ 0 pnu_[A-Za-z0-9]{36} - a Prefect key
EZAK 0 EZAK[A-Za-z0-9]{54} - an EasyPost key
duffel_ 0 duffel_(?:test|live)_[A-Za-z0-9_=-]{43} - a Duffel token
shippo_ 0 shippo_(?:live|test)_[0-9a-f]{40} - a Shippo token
LTAI 0 LTAI[A-Za-z0-9]{20} - an Alibaba Cloud access key id
AKID 0 AKID[A-Za-z0-9]{32} - a Tencent Cloud secret id
AQVN 0 AQVN[A-Za-z0-9_-]{35,38} - a Yandex Cloud key
AAAAAAAAAAAAAAAAAAAAA 0 AAAAAAAAAAAAAAAAAAAAA[A-Za-z0-9%]{60,100} - a Twitter bearer token
EAACEdEose0cBA 0 EAACEdEose0cBA[A-Za-z0-9]{20,200} - a Facebook access token
"""
