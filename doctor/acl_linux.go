package doctor

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// The tags of entries of an access control list, and the bit for writing.
const (
	aclUser, aclGroupObj, aclGroup, aclMask = 0x02, 0x04, 0x08, 0x10
	aclWrite                                = 2
)

// writersByACL are whom the access control list of a file lets write, less what its mask takes away; has is false if it has
// none.
func writersByACL(path string) (w aclWriters, has bool) {
	list := make([]byte, 64<<10)
	n, err := unix.Lgetxattr(path, "system.posix_acl_access", list)
	if err != nil || n < 4 || binary.LittleEndian.Uint32(list) != 2 {
		return w, false
	}
	mask := uint16(7)
	entries := list[4 : n-(n-4)%8]
	each := func(do func(tag, perm uint16, id uint32)) {
		for e := entries; len(e) >= 8; e = e[8:] {
			do(binary.LittleEndian.Uint16(e), binary.LittleEndian.Uint16(e[2:]), binary.LittleEndian.Uint32(e[4:]))
		}
	}
	each(func(tag, perm uint16, _ uint32) {
		if tag == aclMask {
			mask = perm
		}
	})
	each(func(tag, perm uint16, id uint32) {
		switch writes := perm&mask&aclWrite != 0; {
		case !writes:
		case tag == aclUser:
			w.users = append(w.users, id)
		case tag == aclGroup:
			w.groups = append(w.groups, id)
		case tag == aclGroupObj:
			w.group = true
		}
	})
	return w, true
}
