package fault

// The codes. Each has a row in Entries.
const (
	HostRefused      Code = "KP-HTTP-001"
	OriginRefused    Code = "KP-HTTP-002"
	BodyTooLarge     Code = "KP-HTTP-003"
	NoRoute          Code = "KP-HTTP-004"
	MethodRefused    Code = "KP-HTTP-005"
	EncodingUnknown  Code = "KP-HTTP-006"
	NoWebSocket      Code = "KP-HTTP-007"
	ShuttingDown     Code = "KP-HTTP-008"
	BodyUnreadable   Code = "KP-HTTP-009"
	EditConflict     Code = "KP-HTTP-010"
	EditUnmatched    Code = "KP-HTTP-011"
	KeyMissing       Code = "KP-AUTH-001"
	KeyUnknown       Code = "KP-AUTH-002"
	KeyNotAdmin      Code = "KP-AUTH-003"
	InvalidJSON      Code = "KP-REQ-001"
	InvalidField     Code = "KP-REQ-002"
	LossRefused      Code = "KP-REQ-003"
	PartRefused      Code = "KP-REQ-004"
	Stateless        Code = "KP-REQ-005"
	NotOffered       Code = "KP-REQ-006"
	MediaFetch       Code = "KP-REQ-007"
	UnknownModel     Code = "KP-ROUTE-001"
	NoAccount        Code = "KP-ROUTE-002"
	Discontinued     Code = "KP-ROUTE-003"
	NotPermitted     Code = "KP-ROUTE-004"
	UnknownProvider  Code = "KP-ROUTE-005"
	UnknownProfile   Code = "KP-ROUTE-006"
	RuleRefused      Code = "KP-ROUTE-007"
	NotCapable       Code = "KP-ROUTE-008"
	BudgetSpent      Code = "KP-ROUTE-009"
	ProfileExcludes  Code = "KP-ROUTE-010"
	ProviderKey      Code = "KP-ACCT-001"
	ProviderDenied   Code = "KP-ACCT-002"
	KeyNotStored     Code = "KP-ACCT-003"
	SignedOut        Code = "KP-ACCT-004"
	OwnUseOnly       Code = "KP-ACCT-005"
	PolicyRefused    Code = "KP-ACCT-006"
	UnknownAccount   Code = "KP-ACCT-007"
	RefreshFailed    Code = "KP-ACCT-008"
	NothingToImport  Code = "KP-ACCT-009"
	CredentialsFile  Code = "KP-ACCT-010"
	SignInRefused    Code = "KP-LOGIN-001"
	SignInTimeout    Code = "KP-LOGIN-002"
	StateMismatch    Code = "KP-LOGIN-003"
	CodeExpired      Code = "KP-LOGIN-004"
	LoopbackTaken    Code = "KP-LOGIN-005"
	TLSIntercepted   Code = "KP-LOGIN-006"
	ClockSkew        Code = "KP-LOGIN-007"
	NetworkDown      Code = "KP-LOGIN-008"
	ProviderDown     Code = "KP-LOGIN-009"
	WrongAccount     Code = "KP-LOGIN-010"
	ClientRefused    Code = "KP-LOGIN-011"
	ScopeMissing     Code = "KP-LOGIN-012"
	SignInAnswer     Code = "KP-LOGIN-013"
	SignInCanceled   Code = "KP-LOGIN-014"
	NoSuchWay        Code = "KP-LOGIN-015"
	TestFailed       Code = "KP-TEST-001"
	UpstreamNetwork  Code = "KP-UP-001"
	UpstreamDNS      Code = "KP-UP-002"
	UpstreamTLS      Code = "KP-UP-003"
	FirstByteTimeout Code = "KP-UP-004"
	IdleTimeout      Code = "KP-UP-005"
	StreamTruncated  Code = "KP-UP-006"
	UpstreamBadJSON  Code = "KP-UP-007"
	UpstreamHTML     Code = "KP-UP-008"
	UpstreamType     Code = "KP-UP-009"
	RateLimit        Code = "KP-UP-010"
	QuotaExhausted   Code = "KP-UP-011"
	UpstreamBusy     Code = "KP-UP-012"
	UpstreamFailed   Code = "KP-UP-013"
	UpstreamRefused  Code = "KP-UP-014"
	ModelMissing     Code = "KP-UP-015"
	ContextTooLong   Code = "KP-UP-016"
	StreamError      Code = "KP-UP-017"
	MalformedCall    Code = "KP-UP-018"
	UpstreamTooLarge Code = "KP-UP-019"
	CallerLeft       Code = "KP-UP-020"
	AlreadyRunning   Code = "KP-DAEMON-001"
	PortTaken        Code = "KP-DAEMON-002"
	NotRunning       Code = "KP-DAEMON-003"
	StartFailed      Code = "KP-DAEMON-004"
	FilesExposed     Code = "KP-DAEMON-005"
	FilesUnwritable  Code = "KP-DAEMON-006"
	Usage            Code = "KP-CLI-001"
	ModelDataRefused Code = "KP-CLI-002"
	LedgerFailed     Code = "KP-USAGE-001"
	LedgerOff        Code = "KP-USAGE-002"
	InternalError    Code = "KP-INTERNAL-001"
	Panicked         Code = "KP-INTERNAL-002"
)

// Entries is every failure a user can meet, in the order of the reference.
var Entries = []Entry{
	{HostRefused, Permission, 403, "Host name refused", "The request named a host other than this machine, as a web page that rebinds a name to 127.0.0.1 would.", "Use http://127.0.0.1:1337 or http://localhost:1337, or list the name under [local] allowed_hosts."},
	{OriginRefused, Permission, 403, "Browser origin refused", "The request came from a web page. Pages may not use the keys of this machine.", "Call KorProxy from a program. Pages on another origin are never served."},
	{BodyTooLarge, TooLarge, 413, "Request body too large", "The body is larger than [limits] body_bytes allows.", "Shorten the conversation, or raise [limits] body_bytes."},
	{NoRoute, NotFound, 404, "No such address", "No API of KorProxy lives at this path.", "Check the tool's base URL: http://127.0.0.1:1337/v1 for OpenAI tools, http://127.0.0.1:1337 for Anthropic, Gemini and Ollama tools."},
	{MethodRefused, Invalid, 405, "Method not allowed", "The address exists, but not for this HTTP method.", "Use the method named in the Allow header."},
	{EncodingUnknown, Invalid, 415, "Content-Encoding not understood", "The body is compressed in a way KorProxy does not read.", "Send it plain, or as gzip, deflate or zstd."},
	{NoWebSocket, Unsupported, 426, "WebSocket not served", "The tool asked for a WebSocket; KorProxy serves the same API by HTTP.", "Nothing: tools fall back to HTTP by themselves."},
	{ShuttingDown, Overloaded, 503, "KorProxy is stopping", "The daemon is draining its open streams and takes no new requests.", "Try again in a moment."},
	{BodyUnreadable, Invalid, 400, "Request body could not be read", "The caller closed the connection, sent it too slowly, or the compressed body is damaged.", "Send the request again."},
	{EditConflict, Config, 412, "Changed meanwhile", "The file is not what it was when it was read, so the edit was not made.", "Read it again and repeat the edit."},
	{EditUnmatched, Invalid, 428, "Edit without If-Match", "An edit has to name the state it was made from.", "Send the ETag of the last GET in If-Match."},
	{KeyMissing, Auth, 401, "Local key missing", "Requests to KorProxy carry a local key, so that other programs and pages cannot spend your accounts.", "Run 'korproxy key --tool NAME' and put the key where the tool wants its API key."},
	{KeyUnknown, Auth, 401, "Local key unknown", "The key is not one of this machine's. A provider's own key does not belong here.", "Run 'korproxy key --tool NAME' and use the key it prints; 'korproxy keys list' shows the tools that have one."},
	{KeyNotAdmin, Permission, 403, "Admin key needed", "The management API on the port takes the admin key only.", "Run 'korproxy key --admin', or use the CLI, which needs no key."},
	{InvalidJSON, Invalid, 400, "Body is not valid JSON", "The request body does not parse.", "Fix the body at the position named."},
	{InvalidField, Invalid, 400, "A field has a wrong value", "A field is missing or of the wrong kind.", "Fix the field named in the message."},
	{LossRefused, Invalid, 400, "The model's API cannot express this", "strict = true is set, and part of the request has no counterpart at the provider.", "Leave the field out, choose a model that speaks this API, or set strict = false."},
	{PartRefused, Invalid, 400, "The model cannot take this content", "The request holds an image, a file or audio that the model does not read.", "Choose a model that does, or leave the content out."},
	{Stateless, Invalid, 400, "Stateless provider", "previous_response_id and conversation refer to answers kept by the provider that made them.", "Send the full input, or use the provider that holds the conversation."},
	{NotOffered, Unsupported, 501, "Not offered by this provider", "The provider has no such operation.", "Choose a model of a provider that has it."},
	{MediaFetch, Invalid, 400, "Remote media not fetched", "The provider wants the bytes, and fetching addresses for a caller is off or the address is not public https.", "Send the data inline, or set fetch_remote_media = true."},
	{UnknownModel, NotFound, 404, "Unknown model", "No connected provider lists this model.", "Take a name from 'korproxy models', or write provider/model."},
	{NoAccount, Auth, 401, "No account for this provider", "The model belongs to a provider that no account is connected to.", "Run 'korproxy login PROVIDER', or 'korproxy accounts add PROVIDER --key-stdin'."},
	{Discontinued, Unsupported, 410, "Provider discontinued", "The service was closed by its vendor.", "Connect what the message names, and remove the account if there is one."},
	{NotPermitted, Policy, 403, "Not permitted by the vendor", "The vendor's terms do not allow other tools to use this sign-in.", "Use the way the message names, mostly an API key."},
	{UnknownProvider, NotFound, 404, "Unknown provider", "No provider of this name is in the catalogue or the configuration.", "See 'korproxy accounts add --help', or add a [providers.NAME] table."},
	{UnknownProfile, NotFound, 404, "Unknown profile", "No profile of that name is configured.", "Take a name from 'korproxy profile list', or add a [profiles.NAME] table."},
	{RuleRefused, Policy, 403, "Refused by a rule", "A rule of the configuration refuses such requests; its message follows.", "Change the rule named, or send the request another way."},
	{NotCapable, Unsupported, 400, "No model can do this", "The request needs something, such as reading images, that no model it may go to can do.", "Choose another model, or add a target that can; 'korproxy route explain' shows what was ruled out."},
	{BudgetSpent, Quota, 402, "Budget spent", "The profile has spent what its budget allows for the day or month.", "Raise the budget under [profiles.NAME.budget], or switch with 'korproxy profile use NAME'."},
	{ProfileExcludes, Permission, 403, "Not in this profile", "The profile does not allow the provider or account that would serve the model.", "Switch with 'korproxy profile use NAME', or add it to the profile's providers."},
	{ProviderKey, Auth, 401, "The provider refused the key", "The account's key is wrong, revoked, expired, or belongs to another region.", "Make a new key at the provider and run 'korproxy accounts add PROVIDER --name NAME --key-stdin --replace'."},
	{ProviderDenied, Permission, 403, "The provider denied access", "The key is valid, but this model, region or feature is closed to it.", "Check the account's rights at the provider."},
	{KeyNotStored, Auth, 401, "The account's key was not found", "The environment variable is empty or the secret store has no key for this account.", "Set the variable for the daemon, or run 'korproxy accounts add PROVIDER --name NAME --key-stdin --replace'."},
	{SignedOut, Auth, 401, "The account is signed out", "The provider no longer takes the sign-in: it was revoked, has expired, or another program used it up.", "Run 'korproxy login PROVIDER' to sign in again."},
	{OwnUseOnly, Policy, 403, "This account serves KorProxy only", "The vendor's terms limit the sign-in to the app that was connected, so requests of other tools are not passed on with it.", "Add an API key beside it: 'korproxy accounts add PROVIDER --name key --key-stdin'."},
	{PolicyRefused, Policy, 403, "The provider does not allow this use", "The provider refused this client, plan or route by its terms. No other account is tried, so that the refusal is not dodged.", "Use the way the provider names, mostly an API key; 'korproxy accounts show' has the policy."},
	{UnknownAccount, NotFound, 404, "Unknown account", "No account of that name is configured.", "'korproxy accounts list' has the names; 'korproxy login PROVIDER' connects one."},
	{RefreshFailed, Network, 502, "The sign-in could not be renewed just now", "The provider's sign-in server did not answer as it should. The sign-in itself is kept.", "Try again in a moment; 'korproxy test' shows whether it works again."},
	{NothingToImport, NotFound, 404, "Nothing to import", "No API key was found in the environment or in the files of the tools that are looked at.", "Add the key by hand: 'korproxy accounts add PROVIDER --key-stdin'."},
	{CredentialsFile, Config, 400, "Credentials file not usable", "The file is missing, cannot be read, or is not of the kind that was asked for.", "Name the right file with --file, or make a new one at the provider."},
	{SignInRefused, Permission, 403, "The sign-in was refused", "Consent was declined in the browser, or the organisation does not allow it.", "Start again and agree, or ask your administrator."},
	{SignInTimeout, Timeout, 504, "The sign-in was not completed in time", "Nobody came back from the browser within five minutes.", "Run 'korproxy login' again; on another machine use --device or --paste."},
	{StateMismatch, Invalid, 400, "The sign-in did not match", "What came back was not the answer to this sign-in: an old tab, or a page that tried to slip in its own.", "Close old sign-in tabs and start again."},
	{CodeExpired, Timeout, 504, "The code has expired", "The code was not entered, or not exchanged, in the time the provider gives.", "Start again and enter the new code."},
	{LoopbackTaken, Config, 409, "The sign-in's port is taken", "The provider sends the browser back to a fixed port of this machine, and another program listens there.", "Stop that program, or sign in with --paste."},
	{TLSIntercepted, Network, 502, "Something intercepts the secure connection", "The certificate of the sign-in server is signed by an authority this machine does not trust, as company proxies and virus scanners do.", "Install the company's CA certificate, or name it in SSL_CERT_FILE and start the daemon with it."},
	{ClockSkew, Config, 400, "The clock of this machine is wrong", "Certificates and tokens are valid at other times than this machine's clock shows.", "Correct the date and time, and the time zone, then sign in again."},
	{NetworkDown, Network, 502, "The network is down", "The sign-in server's name was not found or could not be reached, and neither could others.", "Check the connection and the proxy settings (HTTPS_PROXY)."},
	{ProviderDown, Overloaded, 503, "The provider's sign-in is down", "The sign-in server answered with an error of its own, or not at all.", "Try again in some minutes; see the provider's status page."},
	{WrongAccount, Auth, 409, "Signed in as somebody else", "The account was connected as another user than the one who signed in now.", "Sign in as the user named, or use another --name to connect both."},
	{ClientRefused, Config, 400, "The provider refused the client", "The OAuth client is unknown to the provider, was blocked, or is not allowed to sign in this way.", "Check client_id, client_secret_env and the redirect address of [providers.NAME.connect]."},
	{ScopeMissing, Permission, 403, "A right that is needed was not granted", "The sign-in worked, but without the scope that makes it of use here.", "Sign in again and grant everything asked for; the plan may not have it."},
	{SignInAnswer, Upstream, 502, "The sign-in server's answer is not usable", "A token, its signature or the server's metadata is not what the standard asks for.", "Try again; if it stays, check issuer and addresses of [providers.NAME.connect]."},
	{SignInCanceled, Canceled, 499, "The sign-in was cancelled", "It was stopped before it was complete.", "Nothing was changed. Run 'korproxy login' to start again."},
	{NoSuchWay, Invalid, 400, "The provider cannot be connected this way", "The provider's row has no such way to connect.", "'korproxy login PROVIDER --help' and guides/providers.md name the ways there are."},
	{TestFailed, Upstream, 502, "A test failed", "At least one of the accounts tested does not work; each line says why.", "Follow the line of the account that failed."},
	{UpstreamNetwork, Network, 502, "Provider not reached", "The connection was refused, reset or timed out.", "Check the network, the proxy settings and the provider's base_url."},
	{UpstreamDNS, Network, 502, "Provider's name not found", "The host name of the provider did not resolve.", "Check the network and the provider's base_url."},
	{UpstreamTLS, Network, 502, "Secure connection failed", "The provider's certificate was not accepted: something intercepts the connection, or the clock is wrong.", "Install your company's CA certificate, or correct the clock."},
	{FirstByteTimeout, Timeout, 504, "No answer in time", "The provider took the request and sent nothing within [limits] first_byte_timeout.", "Try again, or raise [limits] first_byte_timeout."},
	{IdleTimeout, Timeout, 504, "The answer stalled", "The provider sent nothing more within [limits] idle_timeout.", "Try again, or raise [limits] idle_timeout."},
	{StreamTruncated, Stream, 502, "The answer broke off", "The provider closed the connection before the end of the answer.", "Try again; the partial answer is not complete."},
	{UpstreamBadJSON, Upstream, 502, "The provider sent broken JSON", "The answer does not parse.", "Try again; if it stays, check base_url and dialect of the provider."},
	{UpstreamHTML, Upstream, 502, "The provider sent a web page", "A login page, a firewall or an error page answered instead of the API.", "Check base_url and the network's proxy."},
	{UpstreamType, Upstream, 502, "The provider sent another kind of content", "The content type is neither JSON nor the stream asked for.", "Check base_url and dialect of the provider."},
	{RateLimit, RateLimited, 429, "Rate limit reached", "The provider limits requests or tokens per minute.", "Wait for the time in Retry-After, or add another account."},
	{QuotaExhausted, Quota, 429, "Nothing left on this account", "The balance, the spend limit or the plan's quota is used up.", "Top up or raise the limit at the provider, or choose another account."},
	{UpstreamBusy, Overloaded, 503, "The provider is overloaded", "The provider refused for lack of capacity.", "Try again in a moment, or choose another model."},
	{UpstreamFailed, Upstream, 502, "The provider failed", "The provider answered with a server error.", "Try again; see the provider's status page."},
	{UpstreamRefused, Invalid, 400, "The provider refused the request", "The provider found the request invalid; its own words are in the message.", "Change what the message names."},
	{ModelMissing, NotFound, 404, "The provider does not know the model", "The model does not exist there, or not for this account.", "Take a name from 'korproxy models'."},
	{ContextTooLong, TooLarge, 400, "The conversation is too long for the model", "Input and requested output exceed the model's context window.", "Compact the conversation, or choose a model with a larger context."},
	{StreamError, Upstream, 502, "The provider failed in mid-answer", "An error event arrived inside the stream.", "Try again; the partial answer is not complete."},
	{MalformedCall, Upstream, 502, "The model made a malformed tool call", "The provider reports that the model's tool call could not be read.", "Try again, or simplify the tool's schema."},
	{UpstreamTooLarge, TooLarge, 413, "The provider found the request too large", "The body exceeds the provider's limit.", "Shorten the conversation or shrink the attachments."},
	{CallerLeft, Canceled, 499, "The caller left", "The tool closed its connection before the answer was complete.", "Nothing: the request to the provider was cancelled too."},
	{AlreadyRunning, Config, 409, "KorProxy is already running", "One daemon serves one user.", "Use the running one ('korproxy status'), or stop it with 'korproxy down'."},
	{PortTaken, Config, 409, "The port is taken", "Another program listens on KorProxy's port.", "Stop that program, or set another listen address."},
	{NotRunning, NotFound, 503, "KorProxy is not running", "No daemon answers on this user's socket.", "Start it with 'korproxy up'."},
	{StartFailed, Internal, 500, "KorProxy did not start", "The daemon ended before it was ready.", "Read the log named in the message."},
	{FilesExposed, Config, 500, "Others can read KorProxy's files", "A file or folder with keys can be read by other users of this machine.", "Take the right away with the command 'korproxy doctor' prints."},
	{FilesUnwritable, Config, 500, "KorProxy's folders cannot be written", "The state folder belongs to another user, is read-only, or its disk is full.", "Check the folder's owner and the space on its disk; KORPROXY_HOME names another folder."},
	{"KP-CONFIG-001", Config, 400, "Config file not readable", "The config file, or one named with --config, is missing or cannot be read.", "Check the path with 'korproxy config path' and the file's permissions."},
	{"KP-CONFIG-002", Config, 400, "Config is not valid TOML", "The text breaks the rules of TOML at the position named.", "Mend the line named; the last good config stays in use until then."},
	{"KP-CONFIG-003", Config, 400, "Unknown config key", "The file sets a key KorProxy does not have; often it is a typing mistake or stands in the wrong table.", "Use the name suggested, or look it up in the config reference."},
	{"KP-CONFIG-004", Config, 400, "Wrong type of value", "A key holds a value of another type than it takes.", "Write the type the message names."},
	{"KP-CONFIG-005", Config, 400, "Value not allowed", "A key holds a value outside of what it takes.", "Write one of the values the message names."},
	{"KP-CONFIG-006", Config, 400, "Listen address not valid", "listen is not a host and a port.", "Write it as host:port, for instance 127.0.0.1:1337."},
	{"KP-CONFIG-007", Config, 400, "Listen address is open to the network", "The address can be reached from other machines, which was not allowed explicitly.", "Listen on 127.0.0.1, or set allow_remote = true under [local] and keep require_key on."},
	{"KP-CONFIG-008", Config, 400, "Base URL not valid", "A base URL is not an absolute http or https URL without credentials, query or operation.", "Write it as the vendor's SDK takes it, for instance https://api.example.com/v1."},
	{"KP-CONFIG-009", Config, 400, "Unknown provider", "An account names a provider that neither the catalogue nor the file has.", "Use a name of the provider catalogue, or add [providers.NAME] with dialect and base_url."},
	{"KP-CONFIG-010", Config, 400, "Account or model named twice", "Two entries have the same name.", "Give each account of a provider its own name."},
	{"KP-CONFIG-011", Config, 400, "Provider incomplete", "A provider that is not in the catalogue lacks what is needed to reach it.", "Set dialect and base_url."},
	{"KP-CONFIG-012", Config, 400, "Key not allowed in a workspace", "A workspace's .korproxy.toml may set profile and routing keys only.", "Move the key to your own config file."},
	{"KP-CONFIG-013", Config, 400, "Secret in the config file", "The file seems to hold a key itself.", "Remove it, then run 'korproxy accounts add PROVIDER --key-stdin', or name an environment variable with api_key_env."},
	{"KP-CONFIG-014", Config, 400, "Config file not edited", "The file cannot be edited without the risk of changing what it says.", "Mend the file, or make the edit by hand."},
	{"KP-CONFIG-015", Config, 400, "Account exists or is missing", "The account to add is there already, or the one to remove is not.", "List them with 'korproxy accounts list'."},
	{"KP-CONFIG-016", Config, 400, "Folder not usable", "A folder of KorProxy cannot be found, made or trusted.", "Check HOME and KORPROXY_HOME, and that the folder belongs to you alone."},
	{"KP-CONFIG-017", Config, 400, "Name not found", "A routing key names a profile, provider, account, group or class that does not exist.", "Take the name suggested, or add what it names."},
	{"KP-CONFIG-018", Config, 400, "Names go in a circle", "An alias or a group leads back to itself, so it leads nowhere.", "Let one of the names in the message lead to a provider and model."},
	{"KP-CONFIG-019", Config, 400, "Setting without effect", "A warning: the setting is valid, but does nothing, or not what it seems to say.", "Remove it, or change what the message names; the configuration is in use meanwhile."},
	{"KP-SECRET-001", Auth, 404, "Secret not stored", "No secret of that name is stored.", "Store it with 'korproxy accounts add PROVIDER --key-stdin', or name an environment variable with --key-env."},
	{"KP-SECRET-002", Invalid, 400, "Secret not accepted", "The name or the value of a secret is empty or not allowed.", "Use letters, digits and ._/@- in the name, and a value that is not empty."},
	{"KP-SECRET-003", Config, 400, "Secrets readable by others", "A secrets file or folder can be read or written by other users.", "Run the chmod command the message names, and consider the keys in it known to others."},
	{"KP-SECRET-004", Config, 400, "Secrets file damaged", "The secrets file cannot be decrypted with its key, or does not hold what it should.", "Restore the secrets folder from a backup, or move it away and add the keys again."},
	{"KP-SECRET-005", Config, 400, "Key of the secrets file missing", "There is a secrets file, but not the key it is encrypted with.", "Restore identity.txt from a backup, or move secrets.age away and add the keys again."},
	{"KP-SECRET-006", Config, 400, "Keyring not usable", "The operating system's keyring does not answer, is locked, or refused.", "Unlock the keyring, or set KORPROXY_KEYRING=off to use the encrypted file."},
	{"KP-SECRET-007", Config, 400, "Secrets in use", "Another process holds the lock of the secrets folder for too long.", "Try again; if it stays so, end the other korproxy process."},
	{"KP-SECRET-008", Config, 400, "Secrets file not written", "The secrets folder cannot be read or written.", "Check its permissions and the space on the disk."},
	{"KP-SECRET-009", Config, 400, "Secret too large", "The operating system's keyring does not take a value of that size.", "Set KORPROXY_KEYRING=off to use the encrypted file."},
	{Usage, Invalid, 400, "Command not understood", "A command, flag or argument is not one of korproxy's.", "See 'korproxy --help', or --help behind the command."},
	{ModelDataRefused, Config, 400, "Model data not taken", "The file or address does not hold model data of the form of models.dev's api.json, or its numbers cannot be right.", "Name another file, or go back to the data of this build with 'korproxy models update --reset'."},
	{LedgerFailed, Internal, 500, "Ledger not usable", "The file of the usage ledger cannot be opened, read or written.", "Check the state folder's permissions and the space on the disk; a damaged file is kept beside a new one."},
	{LedgerOff, Config, 409, "No ledger is kept", "record = false stands under [usage].", "Set it to true; requests are recorded from then on."},
	{InternalError, Internal, 500, "Internal error", "A bug in KorProxy.", "Report it with the request id; nothing of yours is in the report."},
	{Panicked, Internal, 500, "Internal error", "A bug in KorProxy ended this request; others go on.", "Report it with the request id."},
}

var byCode = func() map[Code]Entry {
	m := make(map[Code]Entry, len(Entries))
	for _, e := range Entries {
		m[e.Code] = e
	}
	return m
}()
