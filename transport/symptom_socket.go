package transport

import "github.com/seed354a1416/deliveryboy/transport/handover"

// The texts of our own connector, and those of the system in it.
var socketSymptoms = []symptom{
	{handover.Prefix + "…: connect: no such file or directory", ReasonRefused, "start the server, or correct the path of its socket"},
	{handover.Prefix + "…: connect: connection refused", ReasonRefused, "start the server; the one that made this socket has ended"},
	{handover.Prefix + "…: connect: permission denied", ReasonNotAllowed, "the server has to allow this user; see deliveryboy serve --help"},
	{handover.Prefix + "not trusted: ", ReasonNotAllowed, "find out who serves there; if it is right, give its user with user="},
	{handover.Prefix + "refused: ", ReasonNotAllowed, "the server has to allow this user and these functions; see deliveryboy serve --help"},
	{handover.Prefix + "busy: ", ReasonRefused, "try again later, or allow the server more connections"},
	{handover.Prefix + "the server is gone", ReasonClosed, "look into the server's log"},
}
