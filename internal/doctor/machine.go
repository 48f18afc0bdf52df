package doctor

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"

	"lojal.dev/lojal/internal/db"
)

// program looks at the program itself and at what the machine gives it.
func (e *exam) program() {
	version := e.Version
	if version == "" {
		version = "of no version"
	}
	e.okf("program", "lojal %s, %s on %s/%s, %d processors.", version, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))
	if n, known := openFiles(); known && n < 1024 {
		e.say("program", Warning, fmt.Sprintf("This user may have %d files and connections open at once.", n), "Raise the limit to 4096 or more: LimitNOFILE in systemd, ulimit -n in a shell.")
	}
	e.zones()
}

// zones sees that the rules of local time are there and not very old.
func (e *exam) zones() {
	oslo, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		e.say("zones", Error, "The rules of time zones are not there: "+err.Error(), "Take ZONEINFO out of the environment, or point it to a whole zone database.")
		return
	}
	summer := time.Date(2027, 3, 28, 1, 0, 0, 0, time.UTC)
	_, before := summer.Add(-time.Second).In(oslo).Zone()
	_, after := summer.In(oslo).Zone()
	if before != 3600 || after != 7200 {
		e.say("zones", Error, "The rules of time zones on this machine are not those of today: summer time of 2027 is wrong.", "Update the system's tzdata, or take ZONEINFO out of the environment so that lojal uses its own.")
		return
	}
	e.okf("zones", "The rules of time zones are there.")
}

// configuration looks at how the database is named.
func (e *exam) configuration() {
	if !strings.HasPrefix(e.URL, "postgres") {
		return
	}
	u, err := url.Parse(e.URL)
	if err != nil {
		return // opening it says so
	}
	if _, has := u.User.Password(); has && e.Given {
		e.say("configuration", Warning, "The password of the database stands on the command line, where every user of this machine can read it.", "Put the URL in the environment variable LOJAL_DB, or the password in ~/.pgpass.")
	}
	if hosts := strings.Split(u.Host, ","); len(hosts) > 1 && u.Query().Get("target_session_attrs") != "read-write" {
		e.say("configuration", Warning, "Several servers are named, and lojal may connect to one that takes no writes.", "Add target_session_attrs=read-write to the URL.")
	}
}

// disk is a file system.
type disk struct {
	kind      string
	free, all int64
	files     int64
	inodes    bool // whether it counts files
}

// remoteKinds are file systems on which SQLite's locks and its shared memory are not to be trusted.
var remoteKinds = map[string]bool{"nfs": true, "smb": true, "cifs": true, "9p": true, "afs": true, "ceph": true, "lustre": true, "fuse": true, "gfs2": true, "ocfs2": true}

// kindOf names a file system by the number that Linux gives it.
func kindOf(magic int64) string {
	switch uint32(magic) {
	case 0x6969:
		return "nfs"
	case 0x517b:
		return "smb"
	case 0xff534d42, 0xfe534d42:
		return "cifs"
	case 0x01021997:
		return "9p"
	case 0x5346414f:
		return "afs"
	case 0x00c36400:
		return "ceph"
	case 0x0bd00bd0:
		return "lustre"
	case 0x65735546:
		return "fuse"
	case 0x01161970:
		return "gfs2"
	case 0x7461636f:
		return "ocfs2"
	case 0x01021994, 0x858458f6:
		return "tmpfs"
	case 0x794c7630:
		return "overlay"
	}
	return ""
}

func (e *exam) disk(folder string, need int64) {
	d, known := lookAtDisk(folder)
	if !known {
		return
	}
	e.judgeDisk(folder, d, need)
}

// judgeDisk judges a disk that holds the database, of which need bytes more are wanted now and then.
func (e *exam) judgeDisk(folder string, d disk, need int64) {
	bad := false
	free := fmt.Sprintf("%s of the %s on which %s lies are free", size(d.free), size(d.all), folder)
	switch {
	case d.free < e.limits.FreeError:
		e.say("disk", Error, "The disk is full, or almost: "+free+".", "Free space now: with a full disk nothing can be recorded. Old backups and logs are the first to look at.")
		bad = true
	case d.free < e.limits.FreeWarning || d.free < need || d.all > 0 && d.free < d.all/20:
		e.say("disk", Warning, "The disk is filling up: "+free+".", "Free space, or make the disk larger, before it is full. A backup beside the database needs as much again as the database.")
		bad = true
	}
	if d.inodes && d.files < 1000 {
		e.say("disk", Error, fmt.Sprintf("The file system can hold only %d files more.", d.files), "Delete what is not needed: a file system that can make no file is full.")
		bad = true
	}
	switch {
	case remoteKinds[d.kind]:
		e.say("disk", Warning, fmt.Sprintf("The database lies on a file system of kind %s, over a network or a layer in between, where SQLite's locks may not hold.", d.kind),
			"Put the file on a disk of this machine, or use PostgreSQL. Over a network two programs may write at once and spoil it.")
		bad = true
	case d.kind == "tmpfs":
		e.say("disk", Warning, "The database lies in memory (tmpfs) and is gone when the machine stops.", "Put it on a disk.")
		bad = true
	case d.kind == "overlay":
		e.say("disk", Warning, "The database lies in a container's own layer and is gone with the container.", "Mount a volume for it.")
		bad = true
	}
	if !bad {
		e.okf("disk", "%s.", free)
	}
}

// size writes bytes for people.
func size(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GB", n>>30)
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%d MB", n>>20)
	}
	return fmt.Sprintf("%d kB", (n+1023)>>10)
}

// file looks at a SQLite database.
func (e *exam) file(ctx context.Context) {
	s, err := e.DB.InspectFile(ctx)
	if err != nil {
		e.failed("file", err)
		return
	}
	e.judgeFile(s)
	if s.Bytes > e.limits.QuickCheck && !e.Deep {
		e.say("file", Note, fmt.Sprintf("The file has %s and was not looked through.", size(s.Bytes)), "lojal doctor --deep looks at every page; it takes some minutes.")
		return
	}
	wrong, err := e.DB.CheckFile(ctx, e.Deep)
	switch {
	case err != nil:
		e.failed("file", err)
	case len(wrong) > 0:
		e.damaged(strings.Join(wrong, "; "))
	default:
		e.okf("file", "SQLite finds nothing wrong in its file of %s.", size(s.Bytes))
	}
}

func (e *exam) judgeFile(s db.FileState) {
	if s.Mode&0o077 != 0 {
		e.say("file", Warning, fmt.Sprintf("Others on this machine may open the database (permissions %04o); it holds personal data.", s.Mode), "chmod 600 "+s.Path+"*")
	}
	if s.FolderMode&0o002 != 0 {
		e.say("file", Warning, "Every user of this machine may rename and replace the database: its folder can be written by all.", "chmod o-w on the folder of "+s.Path+", or move the database to a folder of its own.")
	}
	if s.LogBytes > e.limits.LogBytes {
		e.say("file", Warning, fmt.Sprintf("The write-ahead log has grown to %s: a reader keeps it from being written back.", size(s.LogBytes)),
			"Look for a program that has held the database open for long: a shell, a backup, a report. The log shrinks when it has ended.")
	}
	if s.Pages > 10_000 && s.FreePages > s.Pages/4 {
		e.say("file", Note, fmt.Sprintf("%d%% of the file are empty pages.", 100*s.FreePages/s.Pages), "They are used again. A backup is compact; restored, it takes their place.")
	}
	bad := false
	if s.Journal != "wal" {
		e.say("settings", Error, "The journal is "+s.Journal+" and not WAL: readers and the writer keep each other waiting.", "Open it once with lojal while nothing else uses it: lojal migrate.")
		bad = true
	}
	if s.Synchronous < 2 {
		e.say("settings", Error, fmt.Sprintf("synchronous is %d: what was acknowledged may be lost with the power.", s.Synchronous), "This should not be: report it with lojal version.")
		bad = true
	}
	if !s.ForeignKeys {
		e.say("settings", Error, "Foreign keys are not watched.", "This should not be: report it with lojal version.")
		bad = true
	}
	if s.Encoding != "UTF-8" {
		e.say("settings", Warning, "The file's texts are in "+s.Encoding+" and not in UTF-8.", "Export it and restore the export into a new file: lojal export, lojal restore.")
		bad = true
	}
	if !bad {
		e.okf("settings", "SQLite %s: WAL, synchronous FULL, foreign keys, UTF-8.", s.Version)
	}
	folder := s.Path[:strings.LastIndexByte(s.Path, os.PathSeparator)+1]
	e.disk(folder, s.Bytes/5)
}

func (e *exam) damaged(what string) {
	e.say("file", Error, "SQLite finds its file damaged: "+what, "Stop the server, keep a copy of the file as it is, and restore the last backup. Look at the disk: a file is damaged by disks, memory or by being copied while in use.")
}
