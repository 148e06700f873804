package transport

// GainsPrivilege reports whether the worker behind t may end up, on this machine, under a user id that the caller is
// not allowed to signal. Then killing the transport process would leave a worker that nobody here can stop: close its
// stdin and wait instead, and kill only as the last resort.
//
// It is true for [Sudo], for [Command] and for transports of other packages, because what they do is unknown. It is
// false for [Userns], which stays the caller to the rest of the system, and for everything behind an [SSH] hop: when
// the ssh client dies the far side reads EOF, and nothing of it runs here.
func GainsPrivilege(t Transport) bool {
	for _, hop := range Hops(t) {
		switch hop.(type) {
		case SSH:
			return false
		case Userns:
			continue
		default:
			return true
		}
	}
	return false
}
