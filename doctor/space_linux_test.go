package doctor

import "testing"

func TestQuotas(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"proc/self/mounts": "/dev/a / ext4 rw 0 0\n/dev/b /home ext4 rw,usrquota,grpquota 0 0\n" +
		"/dev/c /home/web/.local xfs rw,noquota 0 0\n/dev/d /data ext4 rw,usrjquota=aquota.user,jqfmt=vfsv1 0 0\n"})
	for dir, want := range map[string]string{
		"/": "", "/srv": "", "/homes": "", "/home": "/home (usrquota)", "/home/web": "/home (usrquota)", "/home/web/.local/state": "", "/data/x": "/data (usrjquota=aquota.user)",
	} {
		expect(t, quotas(root, dir), want)
	}
	expect(t, quotas(t.TempDir(), "/home"), "")
}
