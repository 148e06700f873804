package transport

// The texts of nsenter of util-linux 2.38.
var nsenterSymptoms = []symptom{
	{"nsenter: failed to execute …: No such file or directory", ReasonNotFound, adviceInstall},
	{"nsenter: failed to execute ", ReasonNotRunnable, adviceRunnable},
	{"nsenter: …: No such file or directory", ReasonUnknownHost, "there is no such process; it may have ended"},
	{"nsenter: cannot open …: Permission denied", ReasonNotAllowed, "only root may enter these; put sudo before nsenter"},
	{"nsenter: stat of …: Permission denied", ReasonNotAllowed, "only root may enter these; put sudo before nsenter"},
	{"nsenter: reassociate to namespace …: Operation not permitted", ReasonNotAllowed, "only root may enter these; put sudo before nsenter"},
	{"nsenter: reassociate to namespace …: Invalid argument", ReasonConfig, "the caller is in this namespace already; name the others"},
}

// The texts of chroot of the GNU coreutils 9.1.
var chrootSymptoms = []symptom{
	{"…chroot: cannot change root directory to …: Operation not permitted", ReasonNotAllowed, "only root may do that; put sudo before it"},
	{"…chroot: cannot change root directory to ", ReasonDirectory, "create the directory, or choose another one"},
	{"…chroot: invalid user", ReasonUnknownUser, "correct the user; names are looked up below the new root"},
	{"…chroot: invalid group", ReasonUnknownUser, "correct the group; names are looked up below the new root"},
	{"…chroot: failed to run command …: No such file or directory", ReasonNotFound,
		"put the program below the new root, or give its path there with binary=; one that is not static needs its libraries there"},
	{"…chroot: failed to run command ", ReasonNotRunnable, adviceRunnable},
}

// The texts of systemd-run and machinectl of systemd 252; run0 is systemd-run under another name.
var systemdSymptoms = []symptom{
	{"System has not been booted with systemd", ReasonMisset, "this needs a machine that systemd has booted"},
	{"Failed to connect to bus: ", ReasonMisset, "start the system's message bus"},
	{"Failed to start transient service unit: Interactive authentication required", ReasonPassword,
		"call as root, or add a rule to polkit that needs no password"},
	{"Failed to start transient service unit: Access denied", ReasonNotAllowed, "call as root, or add a rule to polkit"},
	{"Failed to find executable ", ReasonNotFound, adviceInstall},
	{"Failed to get shell PTY: ", ReasonNotAllowed, "call as root, or check that the machine runs"},
}

// systemdHop is the only hop of systemd's tools.
func systemdHop(hops []Transport, _ string) string {
	return only(hops, func(t Transport) bool { return is[Run0](t) || is[SystemdRun](t) || is[Machinectl](t) })
}
