package box

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"reflect"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// wellKnownErrors are the error types that are rebuilt without being registered: those of the standard library that a
// function may well return, and our own, for a function that itself delivers.
func wellKnownErrors() []*errtype {
	return []*errtype{
		{typ: reflect.TypeFor[*fs.PathError]()},
		{typ: reflect.TypeFor[*os.LinkError]()},
		{typ: reflect.TypeFor[*os.SyscallError]()},
		{typ: reflect.TypeFor[syscall.Errno]()},
		{typ: reflect.TypeFor[*exec.Error]()},
		{typ: reflect.TypeFor[*exec.ExitError]()},
		{typ: reflect.TypeFor[*net.OpError]()},
		{typ: reflect.TypeFor[*net.DNSError]()},
		{typ: reflect.TypeFor[*net.AddrError]()},
		{typ: reflect.TypeFor[*net.ParseError]()},
		{typ: reflect.TypeFor[*net.DNSConfigError]()},
		{typ: reflect.TypeFor[net.UnknownNetworkError]()},
		{typ: reflect.TypeFor[net.InvalidAddrError]()},
		{typ: reflect.TypeFor[*strconv.NumError]()},
		{typ: reflect.TypeFor[*time.ParseError]()},
		{typ: reflect.TypeFor[base64.CorruptInputError]()},
		{typ: reflect.TypeFor[hex.InvalidByteError]()},
		{typ: reflect.TypeFor[*json.SyntaxError](), hidden: []string{"msg"}},
		{typ: reflect.TypeFor[*json.UnmarshalTypeError]()},
		{typ: reflect.TypeFor[*json.UnsupportedTypeError]()},
		{typ: reflect.TypeFor[*json.UnsupportedValueError]()},
		{typ: reflect.TypeFor[*json.InvalidUnmarshalError]()},
		{typ: reflect.TypeFor[*json.MarshalerError](), hidden: []string{"sourceFunc"}},
		{typ: reflect.TypeFor[user.UnknownUserError]()},
		{typ: reflect.TypeFor[user.UnknownUserIdError]()},
		{typ: reflect.TypeFor[user.UnknownGroupError]()},
		{typ: reflect.TypeFor[user.UnknownGroupIdError]()},
		{typ: reflect.TypeFor[*runtime.PanicNilError]()},
		{typ: reflect.TypeFor[*RemoteError](), loose: true},
		{typ: reflect.TypeFor[*PanicError](), loose: true},
		{typ: reflect.TypeFor[*DeliveryError]()},
		{typ: reflect.TypeFor[*PackingError]()},
		{typ: reflect.TypeFor[*EncodingError]()},
		{typ: reflect.TypeFor[*TransportError]()},
		{typ: reflect.TypeFor[*VersionSkewError]()},
	}
}
