package registry

import (
	"reflect"

	"github.com/seed354a1416/deliveryboy/channel"
)

// Live kinds stay on the caller's side of a call and are bridged while it runs. Everything else travels by value. Package
// channel knows the kinds.

// liveKind says what kind of live argument or result a type is; "" if it is none.
func liveKind(what string, t reflect.Type) string { return channel.LiveKind(t, what == "result") }

// checkLive reports what is wrong with the parts of a live type: the items of a channel, the arguments and results of a
// callback.
func checkLive(_ string, t reflect.Type, depth int) error { return channel.CheckLive(t, depth) }
