package process

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"

	"github.com/seed354a1416/deliveryboy/internal/trampoline"
)

// identity looks user and groups up; nil if the Config has none, or has those that this process is anyway and may not set.
func (c Config) identity() (*trampoline.Identity, error) {
	if c.User == "" && c.Group == "" {
		return nil, nil
	}
	id := &trampoline.Identity{UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), KeepGroups: c.User == "" && len(c.Groups) == 0}
	if err := c.lookUser(id); err != nil {
		return nil, err
	}
	if c.Group != "" {
		gid, err := groupID(c.Group)
		if err != nil {
			return nil, c.wrong("group", fmt.Sprintf("%.80q: there is no such group", string(c.Group)), err)
		}
		id.GID = gid
	}
	if len(c.Groups) > 0 {
		id.Groups = nil
	}
	for _, g := range c.Groups {
		gid, err := groupID(g)
		if err != nil {
			return nil, c.wrong("groups", fmt.Sprintf("%.80q: there is no such group", string(g)), err)
		}
		id.Groups = append(id.Groups, gid)
	}
	if os.Geteuid() != 0 && int(id.UID) == os.Getuid() && int(id.GID) == os.Getgid() && len(c.Groups) == 0 {
		return nil, nil
	}
	return id, nil
}

// lookUser fills in the user, the user's group and other groups.
func (c Config) lookUser(id *trampoline.Identity) error {
	if c.User == "" {
		return nil
	}
	n, numErr := number(c.User)
	u, err := user.Lookup(string(c.User))
	if numErr == nil {
		u, err = user.LookupId(string(c.User))
	}
	switch {
	case err == nil:
	case numErr != nil:
		return c.wrong("user", fmt.Sprintf("%.80q: there is no such user", string(c.User)), err)
	case c.Group == "":
		return c.wrong("user", fmt.Sprintf("%d: the system does not know its group: give one", n), err)
	default: // a number alone will do
		id.UID = n
		return nil
	}
	id.UID, numErr = number(ID(u.Uid))
	gid, gidErr := number(ID(u.Gid))
	if err := errors.Join(numErr, gidErr); err != nil {
		return c.wrong("user", fmt.Sprintf("%.80q: its entry has no numbers", string(c.User)), err)
	}
	id.GID = gid
	if len(c.Groups) > 0 {
		return nil
	}
	names, err := u.GroupIds()
	if err != nil {
		return c.wrong("user", fmt.Sprintf("%.80q: its groups cannot be told", string(c.User)), err)
	}
	for _, name := range names {
		if g, err := number(ID(name)); err == nil && !slices.Contains(id.Groups, g) {
			id.Groups = append(id.Groups, g)
		}
	}
	return nil
}

func groupID(id ID) (uint32, error) {
	if n, err := number(id); err == nil {
		return n, nil
	}
	g, err := user.LookupGroup(string(id))
	if err != nil {
		return 0, err
	}
	return number(ID(g.Gid))
}

// number is an ID that is one. The highest means "leave it" to the system, and is none.
func number(id ID) (uint32, error) {
	n, err := strconv.ParseUint(string(id), 10, 32)
	if err == nil && uint32(n) == ^uint32(0) {
		err = strconv.ErrRange
	}
	return uint32(n), err
}
