package doctor

import (
	"fmt"
	"math"
	"os"
	"path"
	"strconv"
	"strings"
)

// What a control group should leave a worker, in bytes and tasks.
const (
	littleMemory = 64 << 20
	littleTasks  = 32
)

// groupLimits looks at the limits of the control groups that this process is in, of either version.
func groupLimits(root string) []Finding {
	text, err := os.ReadFile(path.Join(root, "proc/self/cgroup"))
	if err != nil {
		return nil
	}
	memory, tasks := uint64(math.MaxUint64), uint64(math.MaxUint64)
	for line := range strings.Lines(string(text)) {
		words := strings.SplitN(strings.TrimSpace(line), ":", 3) // such as 4:memory:/docker/1f2e, or 0::/user.slice
		if len(words) < 3 {
			continue
		}
		for _, at := range hierarchies(words[1]) {
			for group := path.Join("/", words[2]); ; group = path.Dir(group) { // in a container, the names above it may not be there
				dir := path.Join("sys/fs/cgroup", at, group)
				memory = min(memory, number(root, dir+"/memory.max"), number(root, dir+"/memory.limit_in_bytes"))
				tasks = min(tasks, number(root, dir+"/pids.max"))
				if group == "/" {
					break
				}
			}
		}
	}
	var found []Finding
	if memory < littleMemory {
		found = append(found, Finding{Check: checkLimits, Severity: Warning,
			What: fmt.Sprintf("the control group may have %d KiB of memory: a worker that needs more is killed", memory>>10),
			Fix:  "Raise MemoryMax= of the unit, or --memory of the container."})
	}
	if tasks < littleTasks {
		found = append(found, Finding{Check: checkLimits, Severity: Warning,
			What: fmt.Sprintf("the control group may have %d processes and threads: workers, and what they start, may not get theirs", tasks),
			Fix:  "Raise TasksMax= of the unit, or --pids-limit of the container."})
	}
	return found
}

// hierarchies is where the groups of some controllers are below /sys/fs/cgroup; those of version 2 have no names.
func hierarchies(controllers string) []string {
	if controllers == "" {
		return []string{"", "unified"}
	}
	return append(strings.Split(controllers, ","), controllers)
}

// number is what a file of a control group says; the highest if it sets no limit.
func number(root, file string) uint64 {
	if n, err := strconv.ParseUint(read(root, file), 10, 64); err == nil {
		return n
	}
	return math.MaxUint64
}
