package cli

import (
	"log/slog"
	"net"
	"os"
)

// tellSupervisor tells systemd, for a unit of Type=notify, that the server is ready or stops (sd_notify(3)). Elsewhere nobody listens.
func tellSupervisor(log *slog.Logger, state string) {
	address := os.Getenv("NOTIFY_SOCKET")
	if address == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: address, Net: "unixgram"}) // a name that begins with @ is one without a file
	if err == nil {
		_, err = conn.Write([]byte(state))
		_ = conn.Close() // what was sent is sent
	}
	if err != nil {
		log.Warn("tell the supervisor", "state", state, "error", err)
	}
}
