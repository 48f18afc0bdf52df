package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"time"
)

// runCommand runs `lojal ARGS…` to its end and tells what it used and printed.
func runCommand(ctx context.Context, binary string, args ...string) (outcome, []byte, error) {
	cmd := exec.CommandContext(ctx, binary, args...) //nolint:gosec // it is this very program
	var out bytes.Buffer
	var log tail
	cmd.Stdout, cmd.Stderr = &out, &log
	start := time.Now()
	err := cmd.Run()
	o := outcome{wall: time.Since(start)}
	if cmd.ProcessState != nil {
		o.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		o.peak = peakOf(cmd.ProcessState)
	}
	if err != nil {
		err = fmt.Errorf("lojal %s: %w: %s", args[0], err, short([]byte(log.text())))
	}
	return o, out.Bytes(), err
}

// receiptsFile writes a file of new receipts with three lines each.
func (b *run) receiptsFile(path string, members int) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "store,receipt,at,card,sku,name,category,quantity,amount,paid")
	rnd := rand.New(rand.NewPCG(b.opts.Seed, b.receipts.Load()))
	var v values
	goods := [3]string{"latte,Caffè latte,coffee/espresso,2", "cinnamon-bun,Cinnamon bun,bakery/bun,1", "beans-250,Coffee beans 250 g,coffee/beans,1"}
	start := time.Now().Add(-24 * time.Hour)
	for i := range b.opts.Import {
		v.draw(rnd, members, firstCard, b.receipts.Add(1))
		at := start.Add(time.Duration(i) * 20 * time.Hour / time.Duration(b.opts.Import)).Format(time.RFC3339)
		for k, g := range goods {
			fmt.Fprintf(w, "torggata,%d,%s,%d,%s,%s,card\n", v.receipt, at, v.member, g, appendMoney(nil, v.amounts[k]))
		}
	}
	return w.Flush()
}
