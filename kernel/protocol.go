package kernel

import "strconv"

// ProtocolVersion is the version of the protocol in SPEC.md. A kernel says it in its first line, and a client that does not
// know it does not go on.
const ProtocolVersion = 1

// Banner is the first line of a kernel, which is followed by a prompt.
var Banner = "deliveryboy kernel " + strconv.Itoa(ProtocolVersion) + `. Type "help" for commands.` + "\n"

// Prompt follows each reply in text mode.
const Prompt = "> "

// Denial is what somebody reads who is not served. It is the same for everyone.
const Denial = "Error: permission denied: this kernel serves other users\n"
