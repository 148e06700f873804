package xssh

import (
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// agentSocket is the socket that IdentityAgent names; that of the environment if it names none.
func agentSocket(named string) (string, error) {
	switch {
	case named == "", named == "SSH_AUTH_SOCK":
		return os.Getenv("SSH_AUTH_SOCK"), nil
	case strings.EqualFold(named, "none"):
		return "", nil
	case strings.HasPrefix(named, "$"):
		return os.Getenv(strings.Trim(named[1:], "{}")), nil
	}
	return expand(named)
}

// held are the keys of an agent, as long as the connection to it is there. One that does not answer has none.
func (p *place) held() (signers []ssh.Signer, done func(), err error) {
	done = func() {}
	if p.agent == "" {
		return nil, done, nil
	}
	conn, err := net.Dial("unix", p.agent) //nolint:noctx,gosec // a unix socket, of the user's own choice, answers at once
	if err != nil {
		return nil, done, fmt.Errorf("agent: %w", err)
	}
	signers, err = agent.NewClient(conn).Signers()
	if err != nil {
		conn.Close()
		return nil, done, fmt.Errorf("agent: %w", err)
	}
	return signers, func() { conn.Close() }, nil
}
