package admin

import "github.com/seed354a1416/deliveryboy/registry"

// The functions under their names.
var (
	_ = registry.Register("host.facts", HostFacts,
		registry.Rules{Doc: "tell what the host is, and who runs there"})

	_ = registry.Register("file.read", FileRead,
		registry.Rules{Doc: "read a part of a regular file"})
	_ = registry.Register("file.write", FileWrite,
		registry.Rules{Doc: "write a file in one step, with mode and owner"})
	_ = registry.Register("file.stat", FileStat,
		registry.Rules{Doc: "tell type, mode, owner and times of a file"})
	_ = registry.Register("file.list", FileList,
		registry.Rules{Doc: "list a directory, or a tree"})
	_ = registry.Register("file.remove", FileRemove,
		registry.Rules{Doc: "remove a file, a link or a directory"})

	_ = registry.Register("command.run", CommandRun,
		registry.Rules{Doc: "run a program, without a shell"})

	_ = registry.Register("user.lookup", UserLookup,
		registry.Rules{Doc: "find a user by name or number"})
	_ = registry.Register("user.list", UserList,
		registry.Rules{Doc: "list the users of /etc/passwd"})
	_ = registry.Register("group.lookup", GroupLookup,
		registry.Rules{Doc: "find a group by name or number"})

	_ = registry.Register("net.listeners", NetListeners,
		registry.Rules{Doc: "list the sockets that wait for others, and who holds them"})
	_ = registry.Register("proc.list", ProcList,
		registry.Rules{Doc: "list processes"})
)
