package xssh

import "strings"

// known are the settings of ssh_config(5) that this package follows.
var known = words(`hostname port user identityfile identitiesonly identityagent certificatefile hostkeyalias userknownhostsfile
	globalknownhostsfile proxyjump pubkeyauthentication passwordauthentication kbdinteractiveauthentication
	challengeresponseauthentication addressfamily host match include`)

// harmless are those that it leaves out, because they concern what it never does (forwarding, sharing a connection, asking
// whether a key is right, other ways to log in, what stands on a terminal), or because what it does is stricter.
var harmless = words(`addkeystoagent batchmode canonicaldomains canonicalizefallbacklocal canonicalizemaxdots canonicalizepermittedcnames
	channeltimeout checkhostip clearallforwardings compression connectionattempts connecttimeout controlmaster controlpath
	controlpersist dynamicforward enableescapecommandline enablesshkeysign escapechar exitonforwardfailure fingerprinthash
	forkafterauthentication forwardagent forwardx11 forwardx11timeout forwardx11trusted gatewayports gssapiauthentication
	gssapidelegatecredentials gssapiclientidentity gssapikeyexchange gssapikexalgorithms gssapirenewalforcesrekey gssapiserveridentity
	gssapitrustdns hashknownhosts hostbasedacceptedalgorithms hostbasedauthentication hostbasedkeytypes ignoreunknown ipqos
	localcommand localforward loglevel logverbose nohostauthenticationforlocalhost numberofpasswordprompts obscurekeystroketiming
	permitlocalcommand permitremoteopen protocol proxyusefdpass rekeylimit remotecommand remoteforward requesttty sendenv
	serveralivecountmax serveraliveinterval sessiontype setenv stdinnull streamlocalbindmask streamlocalbindunlink
	stricthostkeychecking syslogfacility tag tcpkeepalive tunnel tunneldevice updatehostkeys useprivilegedport usekeychain
	verifyhostkeydns versionaddendum visualhostkey warnweakcrypto xauthlocation`)

// refused would lead elsewhere, trust another key, demand more of it, or say who we are in another way, with the values that
// mean nothing.
var refused = map[string][]string{
	"proxycommand": {"none"}, "knownhostscommand": {"none"}, "pkcs11provider": {"none"}, "securitykeyprovider": {"internal"},
	"bindaddress": nil, "bindinterface": nil, "revokedhostkeys": {"none"}, "canonicalizehostname": {"no"},
	"hostkeyalgorithms": nil, "ciphers": nil, "kexalgorithms": nil, "macs": nil, "pubkeyacceptedalgorithms": nil,
	"pubkeyacceptedkeytypes": nil, "casignaturealgorithms": nil, "requiredrsasize": nil, "preferredauthentications": nil,
	"refuseconnection": nil, "rsaminsize": nil, "smartcarddevice": nil,
}

func words(text string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(text) {
		set[w] = true
	}
	return set
}
