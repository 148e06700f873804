// Package box is what travels: a call packed for a worker, and the reply that comes back.
//
// A [Box] names a registered function and holds its arguments; a [Reply] holds its results, or the [Fault] that took
// their place. A [Courier] is anything that delivers a box and brings the reply: a fresh worker for every call, a warm
// session, a pool. Everything else here serves those three: the codec that keeps gob from changing a value on its way,
// the codec that keeps an error the same error after the trip, and the text envelope that survives any terminal.
//
// # Values
//
// Values travel by encoding/gob, unless all of a list are numbers, strings and the like. gob leaves out and changes some of
// them. What becomes of them here:
//
//	value                                        gob alone               here
//	nil pointer, as an argument or result        panics                  arrives
//	pointer to a zero value, in a struct         nil                     arrives
//	empty slice or map                           nil                     arrives empty; nil arrives as nil
//	nil pointer in a slice, array or map         refused                 arrives
//	pointer to a pointer, or to an interface     flattened               refused at registration
//	field that is not exported                   left out                refused at registration
//	func or channel in a value                   left out                refused at registration
//	struct{} as an argument or result            refused                 arrives
//	struct{} inside a value                      refused                 refused at registration; use bool
//	error                                        refused                 arrives, see [RemoteError]
//	any, holding a basic type, time.Duration …   some are refused        arrives
//	any, holding another type                    refused unregistered    arrives after [RegisterValue], else refused
//	any, holding a pointer to a registered type  arrives as its target   refused
//	other interface                              as any                  refused at registration, unless a registered
//	                                                                     type implements it
//	recursive type                               endless on a circle     needs a declared depth, which is enforced
//	map with pointers or interfaces as keys      keys lose identity      refused at registration
//	type with GobEncode or MarshalBinary         as it says              as it says
//	time.Time                                    without its monotonic   the same; Equal holds, == may not
//	                                             clock and zone name
//	-0.0 in a struct                             0.0, which is equal     the same
//	two pointers to one thing                    two things              two things
//
// "Refused at registration" is a panic when the program starts, with the path of the field and the registering line.
// Other refusals are an [EncodingError] with the path, before anything leaves.
package box
