package transport

// The texts of docker 20.10 and 28, of podman 4.3, and of runc 1.1. nerdctl says some of it in the same words.
var dockerSymptoms = []symptom{
	{"…permission denied while trying to connect to the Docker daemon", ReasonNotAllowed,
		"call as root, or add the caller to the group docker, which is as good as root"},
	{"…Cannot connect to the Docker daemon", ReasonRefused, "start the daemon, or correct DOCKER_HOST or the context"},
	{"…context …: context not found", ReasonConfig, "correct the context; docker context ls has the names"},
	{"…unable to resolve docker endpoint: context … does not exist", ReasonConfig, "correct the context; docker context ls has the names"},
	{"…No such container: ", ReasonUnknownHost, "correct the name of the container, or start it"},
	{"…no such container", ReasonUnknownHost, "correct the name of the container, or start it"},
	{"…Container … is not running", ReasonClosed, "start the container"},
	{"…Container … is paused", ReasonClosed, "unpause the container"},
	{"…No such image: ", ReasonUnknownHost, "pull the image first, or set pull"},
	{"…network … not found", ReasonConfig, "correct the network; docker network ls has the names"},
	{"…unable to find user ", ReasonUnknownUser, "correct the user; names are those of the container"},
	{"…unable to find group ", ReasonUnknownUser, "correct the group; names are those of the container"},
	{"…unable to start container process: …no such file or directory", ReasonNotFound,
		"put the program into the container, or give its path there with binary=; one that is not static needs its libraries there"},
	{"…unable to start container process: …", ReasonNotRunnable, adviceRunnable},
	{"Error: can only create exec sessions on running containers", ReasonClosed, "start the container"},
	{"Error: failed to resolve active destination: ", ReasonConfig, "correct the connection; podman system connection list has the names"},
	{"Error: …: image not known", ReasonUnknownHost, "pull the image first, or set pull"},
	{"…exec format error", ReasonNotRunnable, "the program is built for another system or architecture"},
}

// dockerHop is the only hop of docker and its like.
func dockerHop(hops []Transport, _ string) string {
	return only(hops, func(t Transport) bool {
		return is[Docker](t) || is[DockerRun](t) || is[Podman](t) || is[Nerdctl](t)
	})
}

// The texts of kubectl 1.32.
var kubectlSymptoms = []symptom{
	{"The connection to the server … was refused", ReasonRefused, "check the context and that the cluster runs"},
	{"Unable to connect to the server: …no such host", ReasonUnknownHost, "correct the server of the context, or check DNS"},
	{"Unable to connect to the server: ", ReasonUnreachable, "check the context, network and routes"},
	{"Error in configuration: ", ReasonConfig, "correct the context; kubectl config get-contexts has the names"},
	{"error: stat …: no such file or directory", ReasonConfig, "correct kubeconfig="},
	{"Error from server (NotFound): ", ReasonUnknownHost, "correct pod and namespace"},
	{"Error from server (Forbidden): ", ReasonNotAllowed, "allow this user create on pods/exec in that namespace"},
	{"error: You must be logged in to the server", ReasonAuth, "renew the credentials of the context"},
	{"Error from server (BadRequest): container …", ReasonConfig, "correct the container; kubectl get pod has the names"},
	{"error: Internal error occurred: …no such file or directory", ReasonNotFound,
		"put the program into the container, or give its path there with binary="},
	{"error: cannot exec into a container in a completed pod", ReasonClosed, "choose a pod that runs"},
}

// The texts of lxc-attach 5.0.
var lxcAttachSymptoms = []symptom{
	{"lxc-attach: …Failed to get init pid", ReasonUnknownHost, "correct the name of the container, or start it"},
	{"lxc-attach: …You lack access to ", ReasonNotAllowed, "call as root, or as the user whose container it is"},
	{"lxc-attach: …Permission denied - Failed to exec", ReasonNotRunnable, adviceRunnable},
	{"lxc-attach: …No such file or directory - Failed to exec", ReasonNotFound, "put the program into the container, or give its path there with binary="},
}

// The texts of srun of Slurm 22.05.
var srunSymptoms = []symptom{
	{"srun: fatal: Could not establish a configuration source", ReasonConfig, "this machine has no configuration of Slurm"},
	{"srun: error: Unable to allocate resources: Invalid partition", ReasonConfig, "correct the partition; sinfo has the names"},
	{"srun: error: Unable to allocate resources: Invalid node name", ReasonUnknownHost, "correct the node; sinfo -N has the names"},
	{"srun: error: Unable to allocate resources: Unable to contact slurm controller", ReasonUnreachable, "check whether slurmctld runs, and the network"},
	{"srun: error: Unable to allocate resources: ", ReasonNotAllowed, "correct partition, node and account"},
	{"srun: Job allocation … has been revoked", ReasonBusy, "it waited for its turn; squeue and sinfo say for what: wait longer, or take another partition"},
	{"srun: error: Unable to create step for job …: Job/step already completing", ReasonBusy,
		"other steps have all of this job; SLURM_OVERLAP=1 in the environment lets them share it"},
	{"slurmstepd-…: error: execve(): …: No such file or directory", ReasonNotFound, "install the program on the node"},
	{"slurmstepd-…: error: execve(): …: Permission denied", ReasonNotRunnable, "make the file on the node one that can be run"},
	{"slurmstepd: error: execve(): …: No such file or directory", ReasonNotFound, adviceInstall},
}
