package doctor

import "testing"

func TestGroupLimits(t *testing.T) {
	t.Parallel()
	const unit = "sys/fs/cgroup/system.slice/web.service/"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"none", nil, ""},
		{"no limit", map[string]string{"proc/self/cgroup": "0::/system.slice/web.service\n", unit + "memory.max": "max\n", unit + "pids.max": "max\n"}, ""},
		{"enough", map[string]string{"proc/self/cgroup": "0::/system.slice/web.service\n", unit + "memory.max": "268435456\n", unit + "pids.max": "100\n"}, ""},
		{"memory", map[string]string{"proc/self/cgroup": "0::/system.slice/web.service\n", unit + "memory.max": "33554432\n"}, "32768 KiB of memory"},
		{"tasks, of a group around it", map[string]string{"proc/self/cgroup": "0::/system.slice/web.service\n", "sys/fs/cgroup/system.slice/pids.max": "20\n"}, "20 processes"},
		{"in a container", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "33554432\n"}, "32768 KiB of memory"},
		{"version 1, in a container", map[string]string{"proc/self/cgroup": "8:pids:/docker/1f\n4:memory:/docker/1f\n0::/docker/1f\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "33554432\n"}, "32768 KiB of memory"},
		{"version 1, two in one", map[string]string{"proc/self/cgroup": "4:cpu,memory:/a\n", "sys/fs/cgroup/cpu,memory/a/memory.limit_in_bytes": "33554432\n"}, "32768 KiB of memory"},
		{"nonsense", map[string]string{"proc/self/cgroup": "x\n::\n0::\n"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			expect(t, groupLimits(tree(t, c.files)), c.want)
		})
	}
}
