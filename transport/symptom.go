package transport

// A symptom is a line of stderr that tells a reason. In text, "…" stands for anything.
type symptom struct {
	text, reason, advice string
}

// A tool is what makes hops of one kind, or of a few.
type tool struct {
	codes    map[int]bool // exit codes that it has when it fails itself
	stdout   bool         // some of its messages are on stdout
	hop      func(hops []Transport, line string) string
	symptoms []symptom
}

// tools is asked in order: a message of an inner tool is more telling than what the outer one adds to it.
var tools = []tool{
	{codes: one, stdout: true, hop: nologinHop, symptoms: nologinSymptoms},
	{codes: one, hop: hopOf[Sudo], symptoms: sudoSymptoms},
	{codes: one, hop: hopOf[Doas], symptoms: doasSymptoms},
	{codes: starting, hop: hopOf[Su], symptoms: suSymptoms},
	{codes: starting, hop: hopOf[Runuser], symptoms: runuserSymptoms},
	{codes: starting, hop: hopOf[Setpriv], symptoms: setprivSymptoms},
	{codes: starting, hop: hopOf[Pkexec], symptoms: pkexecSymptoms},
	{codes: one, hop: systemdHop, symptoms: systemdSymptoms},
	{codes: starting, hop: hopOfTwo[Userns, Unshare], symptoms: unshareSymptoms},
	{codes: starting, hop: hopOf[Nsenter], symptoms: nsenterSymptoms},
	{codes: map[int]bool{125: true, 126: true, 127: true}, hop: hopOf[Chroot], symptoms: chrootSymptoms},
	{codes: map[int]bool{1: true, 125: true, 126: true, 127: true, 255: true}, stdout: true, hop: dockerHop, symptoms: dockerSymptoms},
	{codes: one, hop: hopOf[Kubectl], symptoms: kubectlSymptoms},
	{codes: starting, hop: hopOf[LXCAttach], symptoms: lxcAttachSymptoms},
	{codes: map[int]bool{1: true, 2: true, 13: true}, hop: hopOf[SRun], symptoms: srunSymptoms},
	{codes: map[int]bool{69: true, 77: true, 78: true}, hop: hopOf[Socket], symptoms: socketSymptoms},
	{codes: map[int]bool{255: true}, hop: sshHop, symptoms: sshSymptoms},
	{codes: map[int]bool{126: true, 127: true}, hop: shellHop, symptoms: shellSymptoms},
}

var (
	one      = map[int]bool{1: true}
	starting = map[int]bool{1: true, 126: true, 127: true}
)

// The texts of sudo 1.9.13p3.
var sudoSymptoms = []symptom{
	{"sudo: account validation failure", ReasonNotAllowed, adviceLocked},
	{"sudo: Account expired or PAM config lacks", ReasonNotAllowed, adviceLocked},
	{"sudo: Account or password is expired", ReasonNotAllowed, adviceExpired},
	{"sudo: Password expired", ReasonNotAllowed, adviceExpired},
	{"sudo: a password is required", ReasonPassword,
		"allow the program in sudoers with NOPASSWD, for this user and this target"},
	{"sudo: a terminal is required", ReasonPassword,
		"allow the program in sudoers with NOPASSWD, for this user and this target"},
	{"sudo: … incorrect password attempt", ReasonWrong, "it was tried once"},
	{"… is not in the sudoers file", ReasonNotAllowed, "add a rule for this user to sudoers"},
	{"Sorry, user … is not allowed to execute", ReasonNotAllowed,
		"compare the command in the message with the rule in sudoers: path, arguments, target user and group"},
	{"sudo: you are not permitted to use the -D option", ReasonNotAllowed,
		"allow it with CWD= or runcwd in sudoers, or give the worker's directory with chdir= instead"},
	{"sudo: you are not permitted to use the -R option", ReasonNotAllowed, "allow it with CHROOT= or runchroot in sudoers"},
	{"sudo: sorry, you are not allowed to ", ReasonNotAllowed, "allow it with SETENV in sudoers, or leave it out"},
	{"sudo: sorry, you must have a tty to run sudo", ReasonNoTerminal, "turn requiretty off in sudoers for this program"},
	{"sudo: The \"no new privileges\" flag is set", ReasonNoPrivilege,
		"start the caller without no_new_privs (systemd: NoNewPrivileges=no; containers: allow privilege escalation)"},
	{"sudo: effective uid is not 0", ReasonNoPrivilege, "use a sudo on a file system without nosuid, not in a user namespace"},
	{"sudo: … must be owned by uid 0 and have the setuid bit set", ReasonNoPrivilege, "restore owner and mode of sudo"},
	{"sudo: no valid sudoers sources found", ReasonMisset, "check the owner and mode of sudoers, then run visudo -c"},
	{"sudo: you do not exist in the passwd database", ReasonUnknownUser, "run the caller as a user that passwd knows"},
	{"sudo: unknown user ", ReasonUnknownUser, "correct the user of this hop, or create it on that host"},
	{"sudo: unknown group ", ReasonUnknownUser, "correct the group of this hop, or create it on that host"},
	{"sudo: …: command not found", ReasonNotFound, "install the program there, or give its path with binary="},
	{"sudo: unable to execute ", ReasonNotRunnable,
		"check mode, architecture, and that the file system is not mounted noexec"},
	{"sudo: unable to change directory to ", ReasonDirectory, "create the directory, or choose another one"},
}

// The text of nologin of util-linux 2.38 and of FreeBSD, on stdout: it takes the place of the login shell, also behind sudo -i.
var nologinSymptoms = []symptom{
	{"This account is currently not available", ReasonNoLogin,
		"this account has no shell: take another user, leave login out, or call su as root"},
}

// The texts of OpenSSH 9.2p1. A changed key is told before the general line about host keys that follows it.
var sshSymptoms = []symptom{
	{"…REMOTE HOST IDENTIFICATION HAS CHANGED", ReasonHostChanged,
		"do not connect before you know why the key changed; then remove the old key with ssh-keygen -R"},
	{"Host key verification failed", ReasonHostKey, "compare the host's key, then add it to the known hosts"},
	{"No … host key is known for ", ReasonHostKey, "compare the host's key, then add it to the known hosts"},
	{"ssh: Could not resolve hostname ", ReasonUnknownHost, "correct the host name, or check DNS"},
	{"ssh: connect to host …: Connection refused", ReasonRefused, "check that sshd runs there and the port is right"},
	{"ssh: connect to host …: Connection timed out", ReasonTimeout, "check network and firewall, or raise connect_timeout"},
	{"ssh: connect to host …: Operation timed out", ReasonTimeout, "check network and firewall, or raise connect_timeout"},
	{"Connection timed out during banner exchange", ReasonTimeout, "check that sshd answers on that port"},
	{"ssh: connect to host …: No route to host", ReasonUnreachable, "check network and routes"},
	{"ssh: connect to host …: Network is unreachable", ReasonUnreachable, "check network and routes"},
	{"…: Permission denied (", ReasonAuth, "check user, identity and authorized_keys; sshd's log tells what it minds, such as a login shell that is missing or a home that others can write to; a password is asked for only where the caller can answer"},
	{"Too many authentication failures", ReasonAuth, "give the key with identity="},
	{"Received disconnect from …Too many authentication failures", ReasonAuth, "give the key with identity="},
	{"Bad owner or permissions on ", ReasonConfig, "make the file writable by its owner only"},
	{"Can't open user config file ", ReasonConfig, "correct ssh_config="},
	{"…: Bad configuration option: ", ReasonConfig, "correct the option; ssh_config(5) has the names"},
	{"…: terminating, … bad configuration options", ReasonConfig, "correct the file; ssh_config(5) has the names"},
	{"hostname contains invalid characters", ReasonConfig, "correct the host name"},
	{"unix_listener: ", ReasonConfig, "set no_share, or make room for the control socket"},
	{"Your account has expired", ReasonNotAllowed, adviceAccount},
	{"Connection closed by ", ReasonClosed, "look into sshd's log on the far side"},
	{"kex_exchange_identification: ", ReasonClosed, "check that it is sshd that listens on that port, and its log"},
	{"Connection reset by ", ReasonClosed, "look into sshd's log on the far side"},
}

// The texts of util-linux 2.38.
var unshareSymptoms = []symptom{
	{"unshare: unshare failed: Operation not permitted", ReasonNoPrivilege,
		"allow unprivileged user namespaces (kernel.unprivileged_userns_clone, AppArmor, seccomp of the container)"},
	{"unshare: write failed …: Operation not permitted", ReasonNoPrivilege,
		"allow unprivileged user namespaces (kernel.unprivileged_userns_clone, AppArmor, seccomp of the container)"},
	{"unshare: unshare failed: No space left on device", ReasonNoPrivilege, "raise user.max_user_namespaces"},
	{"unshare: failed to execute …: No such file or directory", ReasonNotFound,
		"install the program there, or give its path with binary="},
	{"unshare: failed to execute ", ReasonNotRunnable,
		"check mode, architecture, and that the file system is not mounted noexec"},
}

// The texts of dash 0.5.12 and bash 5.2 as the login shell behind ssh.
var shellSymptoms = []symptom{
	{"…: not found", ReasonNotFound, "install the program there, or give its path with binary="},
	{"…: command not found", ReasonNotFound, "install the program there, or give its path with binary="},
	{"…: No such file or directory", ReasonNotFound, "install the program there, or give its path with binary="},
	{"…: Permission denied", ReasonNotRunnable,
		"check mode, architecture, and that the file system is not mounted noexec"},
	{"…: Is a directory", ReasonNotRunnable, "give the path of the program, not of its directory"},
	{"…: Exec format error", ReasonNotRunnable, "the program is built for another system or architecture"},
	{"…: cannot execute", ReasonNotRunnable, "the program is built for another system or architecture"},
}
