// Package plugin runs plugins of hashicorp/go-plugin where the other packages run functions: as root, on another host,
// behind any transport. go-plugin itself runs their lives: handshake, versions, health, logs, and the end.
//
// A program provides a set of plugins, as it would give them to goplugin.Serve, and dispenses them through a transport:
//
//	func init() {
//		plugin.Provide("kv", plugin.Set{
//			Handshake: goplugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "KV_PLUGIN", MagicCookieValue: "hello"},
//			Plugins:   goplugin.PluginSet{"store": &kv.GRPCPlugin{Impl: kv.New()}},
//		})
//	}
//
//	func main() {
//		delivery.Main() // the copy that serves the set is this program
//
//		root, err := plugin.Open(ctx, transport.Sudo{}, "kv")
//		if err != nil {
//			log.Fatal(err)
//		}
//		defer root.Close()
//		store, err := plugin.Dispense[kv.Store](root, "store") // calls of store run as root
//	}
//
// # Over a session
//
// [Open] starts a worker, as package session does, and go-plugin's gRPC connection is one long call on that session: no
// socket, no port, no environment variable, no line on stdout, so that nothing of it is in the way of sudo, ssh or a
// banner. The [Client] is a courier as well: registered functions run in the same process as the plugins, at the speed of
// a session.
//
// # Detached
//
// [Start] has a courier's side start a copy of the program that serves a set and stays when its starter ends. It returns a
// [Record], with which this program, another one or any host that uses go-plugin can reattach. [Reattach] does so without
// trusting a number of a process, and, where the plugin is another user's or on another host, over a courier that gets
// there. Nothing listens on TCP; the socket is in a directory that only its user can enter.
//
// # Limits
//
//   - gRPC plugins only. Those of net/rpc are refused by Provide: their errors are strings, and no call of theirs can be
//     cancelled.
//   - No GRPCBroker over a session. It opens a socket of its own for each connection, and its multiplexed form insists on
//     a socket too: go-plugin's host side calls net.Dial itself, past every dialer, and its server side is made by
//     goplugin.Serve alone. A plugin that uses the broker gets an error: at once where this side dials, after go-plugin's
//     five seconds where the plugin dials. With a detached plugin on this machine the broker works, for the first host that
//     attaches; go-plugin's own server serves no second one.
//   - Which binary runs is for the transport to say, such as a sudoers rule with a digest: go-plugin's SecureConfig would
//     check sudo. AutoMTLS is not used; pipes and a private directory need no certificates.
//   - Whoever imports this package links gRPC: some 10 MB of program, and 2 ms at each start of a worker.
//   - Detached plugins need Linux. One that crashed leaves its directory, with its log; one that was ended does not.
package plugin
