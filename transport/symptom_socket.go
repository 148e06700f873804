package transport

import "github.com/seed354a1416/deliveryboy/transport/handover"

// The texts of our own connector, and those of the system in it.
var socketSymptoms = []symptom{
	{handover.Prefix + "…: connect: no such file or directory", ReasonRefused, "start the server, or correct the path of its socket"},
	{handover.Prefix + "…: connect: connection refused", ReasonRefused, "start the server; the one that made this socket has ended"},
	{handover.Prefix + "…: connect: permission denied", ReasonNotAllowed, "the server has to allow this user; see deliveryboy serve --help"},
	{handover.Prefix + "…: connect: connection timed out", ReasonTimeout, "check address, network and firewall"},
	{handover.Prefix + "…: connect: no route to host", ReasonUnreachable, "check address, network and firewall"},
	{handover.Prefix + "…: no such host", ReasonUnknownHost, "correct the host name, or check DNS"},
	{handover.Prefix + "…: i/o timeout", ReasonTimeout, "check address, network and firewall"},
	{handover.Prefix + "the handshake took too long", ReasonTimeout, "what listens there may be no server of this program"},
	{handover.Prefix + "no TLS: ", ReasonConfig, "import transport/mtls in this program, or use a unix socket"},
	{handover.Prefix + "no TLS of ours", ReasonNoTLS, "check the port; a server there has to be deliveryboy serve --listen"},
	{handover.Prefix + "file cannot be used", ReasonConfig, "correct the file, its owner or its mode"},
	{handover.Prefix + "the server's certificate: expired", ReasonExpired, "renew the server's certificate, or correct the clock of this host"},
	{handover.Prefix + "the server's certificate: unknown authority", ReasonAuthority, "find out who answers there; if it is right, give its authority with ca="},
	{handover.Prefix + "the server's certificate: another name", ReasonWrongName, "find out who answers there; if it is right, give the name with server_name="},
	{handover.Prefix + "the server's certificate: another key", ReasonWrongKey, "find out who answers there; if the key was renewed, correct pin="},
	{handover.Prefix + "the server's certificate: revoked", ReasonRevoked, "send nothing there; give the server a new certificate"},
	{handover.Prefix + "the server's certificate: no list of revoked certificates", ReasonConfig, "add the list of that authority to the file of crl="},
	{handover.Prefix + "the server's certificate: ", ReasonAuth, "correct the server's certificate"},
	{handover.Prefix + "the server refuses this certificate: expired", ReasonExpired, "renew the certificate of cert=, or correct the clocks"},
	{handover.Prefix + "the server refuses this certificate: unknown authority", ReasonAuthority, "use a certificate of the server's --client-ca"},
	{handover.Prefix + "the server refuses this certificate: ", ReasonAuth, "use a certificate for clients of the server's --client-ca"},
	{handover.Prefix + "refused: not on the list", ReasonNotAllowed, "the server has to allow one of these names; see deliveryboy serve --help"},
	{handover.Prefix + "refused: revoked", ReasonRevoked, "use another certificate of the server's --client-ca"},
	{handover.Prefix + "refused: no list of revoked certificates", ReasonConfig, "add the list of that authority to the file of the server's --client-crl"},
	{handover.Prefix + "refused: expired", ReasonExpired, "renew the certificate of cert=, or correct the clocks"},
	{handover.Prefix + "not trusted: ", ReasonNotAllowed, "find out who serves there; if it is right, give its user with user="},
	{handover.Prefix + "refused: ", ReasonNotAllowed, "the server has to allow this user and these functions; see deliveryboy serve --help"},
	{handover.Prefix + "busy: ", ReasonRefused, "try again later, or allow the server more connections"},
	{handover.Prefix + "the server is gone", ReasonClosed, "look into the server's log"},
}
