package admin

import (
	"context"
	"fmt"
	"os/user"
	"strconv"
	"strings"
)

// Group is a group of users.
type Group struct {
	Name    string   `json:"name"`
	GID     int      `json:"gid"`
	Members []string `json:"members"` // named in /etc/group; users whose primary group it is are not
}

// GroupLookup finds a group by name, or else by number.
func GroupLookup(_ context.Context, nameOrID string) (Group, error) {
	g, err := findGroup("group.lookup: group", nameOrID)
	if err != nil {
		return Group{}, err
	}
	for _, f := range records("/etc/group", 4) {
		if f[0] == g.Name && f[3] != "" {
			g.Members = strings.Split(f[3], ",")
		}
	}
	return g, nil
}

// findGroup finds a group; what is the beginning of an error.
func findGroup(what, nameOrID string) (Group, error) {
	g, err := user.LookupGroup(nameOrID)
	id, notNumber := strconv.ParseUint(nameOrID, 10, 32)
	if err != nil && notNumber == nil {
		g, err = user.LookupGroupId(strconv.FormatUint(id, 10))
	}
	if err != nil {
		return Group{}, unknown(what, nameOrID, err)
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return Group{}, fmt.Errorf("%s %s: %w", what, quote(nameOrID), err)
	}
	return Group{Name: g.Name, GID: gid}, nil
}
