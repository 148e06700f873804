package box

import (
	"net"
	"reflect"
)

// addrs are the addresses that come back as themselves.
var addrs = []struct {
	name string
	typ  reflect.Type
}{
	{"tcp", reflect.TypeFor[*net.TCPAddr]()},
	{"udp", reflect.TypeFor[*net.UDPAddr]()},
	{"unix", reflect.TypeFor[*net.UnixAddr]()},
	{"ip", reflect.TypeFor[*net.IPAddr]()},
	{"ipnet", reflect.TypeFor[*net.IPNet]()},
}

const (
	noAddr    = ""
	otherAddr = "other"
)

// farAddr is any other address: what it said about itself.
type farAddr struct{ network, text string }

func (a farAddr) Network() string { return a.network }
func (a farAddr) String() string  { return a.text }

func putAddr(w *fieldWriter, v reflect.Value) error {
	if v.IsNil() {
		w.string(noAddr)
		return nil
	}
	for _, a := range addrs {
		if v.Elem().Type() == a.typ {
			w.string(a.name)
			return w.value(v.Elem())
		}
	}
	a := v.Interface().(net.Addr)
	w.string(otherAddr)
	w.string(a.Network())
	w.string(a.String())
	return nil
}

func getAddr(r *fieldReader, v reflect.Value) error {
	name, err := r.bytes()
	if err != nil || string(name) == noAddr {
		return err
	}
	if string(name) == otherAddr {
		network, err := r.bytes()
		if err != nil {
			return err
		}
		text, err := r.bytes()
		v.Set(reflect.ValueOf(farAddr{string(network), string(text)}))
		return err
	}
	for _, a := range addrs {
		if string(name) == a.name {
			addr := reflect.New(a.typ).Elem()
			if err := r.value(addr); err != nil {
				return err
			}
			v.Set(addr)
			return nil
		}
	}
	return errBadFields
}
