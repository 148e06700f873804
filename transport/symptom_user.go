package transport

const (
	adviceInstall  = "install the program there, or give its path with binary="
	adviceRunnable = "check mode, architecture, and that the file system is not mounted noexec"
	adviceUser     = "correct the user of this hop, or create it on that host"
	adviceExpired  = "the password has expired; change it on that host first"
	adviceAccount  = "the account has expired; its administrator can prolong it"
	adviceLocked   = "the account of the caller is locked or has expired, which chage -l tells; its administrator can prolong it"
	adviceGroup    = "correct the group of this hop, or create it on that host"
)

// The texts of OpenDoas 6.8.2.
var doasSymptoms = []symptom{
	{"doas: Authentication required", ReasonPassword, "allow the program in doas.conf with nopass, for this user and this target"},
	{"doas: Authorization required", ReasonPassword, "allow the program in doas.conf with nopass, for this user and this target"},
	{"…You are required to change your password", ReasonNotAllowed, adviceExpired},
	{"…Your account has expired", ReasonNotAllowed, adviceAccount},
	{"doas: Authentication failed", ReasonWrong, "it was tried once; where it is right, PAM's log says what else PAM minds"},
	{"doas: a tty is required", ReasonPassword, "allow the program in doas.conf with nopass, for this user and this target"},
	{"doas: Operation not permitted", ReasonNotAllowed, "add a rule for this user, target and command to doas.conf"},
	{"doas: doas is not enabled, ", ReasonMisset, "write a doas.conf"},
	{"doas: …is writable by group or other", ReasonMisset, "take the write permission of doas.conf from group and others"},
	{"doas: …is not owned by root", ReasonMisset, "give doas.conf to root"},
	{"doas: syntax error at line ", ReasonMisset, "correct doas.conf; doas -C checks it"},
	{"doas: not installed setuid", ReasonNoPrivilege,
		"restore owner and mode of doas, and start the caller without no_new_privs and nosuid"},
	{"doas: unknown user", ReasonUnknownUser, adviceUser},
	{"doas: …: command not found", ReasonNotFound, adviceInstall},
	{"doas: …: Permission denied", ReasonNotRunnable, adviceRunnable},
	{"doas: …: Exec format error", ReasonNotRunnable, "the program is built for another system or architecture"},
}

// The texts of su of util-linux 2.38, and of busybox 1.35. A prompt may stand before one of them.
var suSymptoms = []symptom{
	{"…You are required to change your password", ReasonNotAllowed, adviceExpired},
	{"…Your account has expired", ReasonNotAllowed, adviceAccount},
	{"…su: Authentication failure", ReasonPassword, "call as root, let PAM trust the caller, use sudo, or have somebody asked for it"},
	{"su: incorrect password", ReasonPassword, "call as root, or have somebody asked for it"},
	{"…su: Permission denied", ReasonNotAllowed, "look into PAM's log: it refuses this caller or this target"},
	{"su: user … does not exist", ReasonUnknownUser, adviceUser},
	{"su: group … does not exist", ReasonUnknownUser, adviceGroup},
	{"su: only root can specify alternative groups", ReasonNotAllowed, "leave the group out"},
	{"su: cannot set groups: Operation not permitted", ReasonNoPrivilege, "restore owner and mode of su, and start the caller without no_new_privs"},
	{"su: cannot set ", ReasonNoPrivilege, "restore owner and mode of su, and start the caller without no_new_privs"},
	{"su: failed to execute ", ReasonNotRunnable, "su needs /bin/sh on that host"},
}

// The texts of runuser of util-linux 2.38.
var runuserSymptoms = []symptom{
	{"runuser: may not be used by non-root users", ReasonNotAllowed, "runuser is for root; put sudo before it, or use su"},
	{"runuser: user … does not exist", ReasonUnknownUser, adviceUser},
	{"runuser: group … does not exist", ReasonUnknownUser, adviceGroup},
	{"runuser: failed to execute …: No such file or directory", ReasonNotFound, adviceInstall},
	{"runuser: failed to execute ", ReasonNotRunnable, adviceRunnable},
}

// The texts of setpriv of util-linux 2.38.
var setprivSymptoms = []symptom{
	{"setpriv: failed to parse reuid", ReasonUnknownUser, adviceUser},
	{"setpriv: failed to parse regid", ReasonUnknownUser, adviceGroup},
	{"setpriv: failed to parse ", ReasonUnknownUser, "correct the groups of this hop"},
	{"setpriv: set…: Operation not permitted", ReasonNotAllowed, "only root may change ids; put sudo before setpriv"},
	{"setpriv: …: Operation not permitted", ReasonNotAllowed, "only root may ask for this; put sudo before setpriv"},
	{"setpriv: failed to execute …: No such file or directory", ReasonNotFound, adviceInstall},
	{"setpriv: failed to execute ", ReasonNotRunnable, adviceRunnable},
}

// The texts of polkit 122.
var pkexecSymptoms = []symptom{
	{"Error executing command as another user: Not authorized", ReasonNotAllowed, "add a rule to polkit for this user and program"},
	{"Error executing command as another user: No authentication agent found", ReasonPassword,
		"add a rule to polkit that needs no password, or run an agent in this session"},
	{"Error executing command as another user: Request dismissed", ReasonNotAllowed, "the user closed the dialogue"},
	{"Error getting authority: ", ReasonMisset, "start the system's message bus and polkitd"},
	{"User `…' does not exist", ReasonUnknownUser, adviceUser},
	{"Error accessing …: No such file or directory", ReasonNotFound, adviceInstall},
	{"pkexec must be setuid root", ReasonNoPrivilege, "restore owner and mode of pkexec, and start the caller without no_new_privs"},
}
