package transport

import (
	"fmt"
	"strings"
)

// Kubectl starts the worker in a container of a Kubernetes pod, through kubectl exec -i, without a
// terminal (kubectl -t would change bytes; there is no way to ask for one). argv arrives unchanged; it must be UTF-8.
//
// Some versions of kubectl cannot tell the pod that stdin has ended while the rest goes on; the worker ends by itself
// when its work is done, and kubectl is told to end then.
//
// kubectl exec was not run against a cluster in the tests; what it runs is recorded, and what it says without a cluster
// is that of 1.32.
type Kubectl struct {
	// Pod is its name, or TYPE/NAME of what has pods, such as "deploy/web". Required.
	Pod string
	// Namespace is that of the pod; empty means that of the context.
	Namespace string
	// Container is one of the pod's; empty means its default.
	Container string
	// Context is another one than the current one of the configuration.
	Context string
	// Config is the configuration file, an absolute path; empty means KUBECONFIG or ~/.kube/config. It may name programs
	// that kubectl runs for credentials.
	Config string
	// Program is another kubectl: an absolute path, or a name that Build looks up; empty means "kubectl".
	Program string
}

// Command returns kubectl exec -i, its options, the pod, "--" and argv.
func (k Kubectl) Command(argv []string) ([]string, error) {
	prefix := appendSet([]string{programOr(k.Program, "kubectl")}, [2]string{"--kubeconfig", k.Config},
		[2]string{"--context", k.Context}, [2]string{"--namespace", k.Namespace})
	prefix = appendSet(append(prefix, "exec", "-i"), [2]string{"--container", k.Container})
	return prefixed(checkAll(k.check(), checkUTF8("kubectl", argv)), argv, append(prefix, k.Pod, "--")...)
}

// String is the spec form, such as "kubectl=web-0//namespace=prod//container=app".
func (k Kubectl) String() string {
	t := segments{}
	t.add("kubectl", k.Pod)
	t.text("namespace", k.Namespace)
	t.text("container", k.Container)
	t.text("context", k.Context)
	t.text("kubeconfig", k.Config)
	t.text("program", k.Program)
	return t.join()
}

const maxLabelName = 63 // bytes in the name of a namespace or container of Kubernetes

func (k Kubectl) check() error {
	kind, name, both := strings.Cut(k.Pod, "/")
	if !both {
		kind, name = "pod", k.Pod
	}
	errs := []error{checkLabel("kubectl pod", name, ".-", maxWord), checkLabel("kubectl kind", kind, ".-", maxWord)}
	if k.Namespace != "" {
		errs = append(errs, checkLabel("kubectl namespace", k.Namespace, "-", maxLabelName))
	}
	if k.Container != "" {
		errs = append(errs, checkLabel("kubectl container", k.Container, "-", maxLabelName))
	}
	if k.Config != "" {
		errs = append(errs, checkAbsolute("kubectl configuration", k.Config))
	}
	return checkAll(append(errs, checkContext(k.Context),
		checkProgram("kubectl program", k.Program))...)
}

// checkContext lets a name be like the address of a cluster, such as arn:aws:eks:eu-1:1234:cluster/web.
func checkContext(context string) error {
	const what = "kubectl context"
	for _, part := range []string{"//", ".."} {
		if i := strings.Index(context, part); i >= 0 {
			return invalid(what, context, fmt.Sprintf("%q at %d is not allowed", part, i))
		}
	}
	return checkWordOr(what, context, clusterBytes, maxWord)
}

func (k Kubectl) facts() facts { return facts{away: true, codes: true} }

var kubectlKind = kind{
	name:  "kubectl",
	begin: func(v string) (Transport, error) { return Kubectl{Pod: v}, nil },
	options: []option{
		textOption("namespace", func(k *Kubectl) *string { return &k.Namespace }),
		textOption("container", func(k *Kubectl) *string { return &k.Container }),
		textOption("context", func(k *Kubectl) *string { return &k.Context }),
		textOption("kubeconfig", func(k *Kubectl) *string { return &k.Config }),
		textOption("program", func(k *Kubectl) *string { return &k.Program }),
	},
}
