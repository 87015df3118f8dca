#!/usr/bin/python3
"""Full-screen programs on a real terminal: the same keys give the same screens and files.

usage: terminal.py RUNSC [NAME...]   prints "ok app/terminal-PLACE/NAME" or FAIL lines

A terminal emulator on a host pty is the user: it types into vim, tmux, less, nano, ed, top,
htop, script, python and a shell with line editing and job control, changes the window's size
and looks at the screen. It does so natively first; then in the sandbox by `do`, by `run` with a
terminal and by `exec -t`, at the same time. Every screen that a session takes with shot() and
every file that is left must be as they were natively.
"""
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

import pyte

LIMIT = 20  # seconds for a screen to come
QUIET = 0.15  # seconds without output after which a native screen is taken to be complete
SHELL = ("cd {dir} && exec env -i HOME=. TERM=linux LANG=C.UTF-8 PATH=/usr/bin:/bin PS1='$ ' "
         "INPUTRC=inputrc LESSHISTFILE=- HISTFILE= bash --norc --noprofile -i")
UP, DOWN, RIGHT, LEFT, ESC = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b"


def ctrl(c):
    return chr(ord(c) & 31)


FORK = threading.Lock()


class Different(Exception):
    pass


class Terminal:
    """A screen with a shell on it. shots: the native ones, or None to take them."""

    def __init__(self, command, shots):
        self.screen = pyte.Screen(80, 24)
        self.stream = pyte.ByteStream(self.screen)
        self.shots, self.taken = shots, {}
        with FORK:  # nobody else may inherit the terminal
            self.pid, self.fd = pty.fork()
            if self.pid == 0:
                os.execvp(command[0], command)
            os.set_inheritable(self.fd, False)
        os.set_blocking(self.fd, False)
        self.screen.write_process_input = lambda s: os.write(self.fd, s.encode())
        self.window(24, 80)

    def window(self, lines, columns):
        self.screen.resize(lines, columns)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def size(self, lines, columns):
        """The window changes; the kernel sends SIGWINCH. Programs may lose one that comes
        just before they wait for a key, and keys that come with it."""
        self.quiet()
        self.window(lines, columns)
        self.read(QUIET)
        self.quiet()

    def read(self, seconds):
        """Feeds the screen; false if nothing came within that time, EOFError at the end."""
        if not select.select([self.fd], [], [], max(seconds, 0))[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        if not data:
            raise EOFError("the terminal was closed:\n" + self.text())
        self.stream.feed(data)
        return True

    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip("\n")

    def look(self):
        """What is compared: text, cursor, and where bold, reverse or coloured cells are."""
        marks = []
        for y in range(self.screen.lines):
            line = self.screen.buffer[y]
            row = "".join("." if (c := line[x]).fg == c.bg == "default" and not c.bold and not c.reverse
                          else "#" for x in range(self.screen.columns)).rstrip(".")
            if row:
                marks.append(f"{y}:{row}")
        c = self.screen.cursor
        return f"{self.text()}\ncursor {c.y},{c.x}{' hidden' if c.hidden else ''}\n" + "\n".join(marks)

    def key(self, *keys):
        for k in keys:
            data = k.encode()
            while data:
                if select.select([self.fd], [self.fd], [])[1]:
                    data = data[os.write(self.fd, data[:1000]):]
                else:
                    self.read(0)

    def see(self, *patterns):
        """Waits until all of the patterns are on the screen."""
        end = time.monotonic() + LIMIT
        while not all(re.search(p, self.text(), re.M) for p in patterns):
            left = end - time.monotonic()
            if left <= 0:
                raise Different(f"no {patterns} on the screen:\n{self.text()}")
            self.read(left)

    def gone(self, pattern):
        end = time.monotonic() + LIMIT
        while re.search(pattern, self.text(), re.M):
            if time.monotonic() > end:
                raise Different(f"still {pattern!r} on the screen:\n{self.text()}")
            self.read(0.2)

    def quiet(self):
        while self.read(QUIET):
            pass

    def shot(self, name):
        """The screen, as soon as it is what it was natively."""
        if self.shots is None:
            self.quiet()
            self.taken[name] = self.look()
            return
        want, end = self.shots[name], time.monotonic() + LIMIT
        while self.look() != want:
            if not self.read(end - time.monotonic()):
                raise Different(f"screen {name!r} was natively:\n{want}\nand is:\n{self.look()}")

    def command(self, line):
        """A line for the shell, on a clear screen."""
        self.key(ctrl("u"), ctrl("l"))
        self.see(r"\A\$\Z")
        self.key(line, "\r")

    def prompt(self):
        self.see(r"^\$\Z")

    def close(self):
        os.close(self.fd)
        for _ in range(200):
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return
            time.sleep(0.05)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise Different("the command outlived its terminal")


# ---- the sessions ----


def vim(t):
    t.command("vim -u vimrc story")
    t.see(r"1,1")
    t.shot("opened")
    t.key("Goa line that is new", ESC)
    t.see(r"301,18")
    t.key(":%s/line 1\\([0-9]\\)$/LINE \\1/\r")
    t.see("10 substitutions")
    t.shot("substituted")
    t.key("ggyy5p:split\r")
    t.see(r"story \[\+\][^\n]*\n(.*\n)+story \[\+\]")
    t.key("/line 150\r")
    t.see(r"155,")
    t.shot("split")
    t.size(35, 110)
    t.see(r"(.*\n){33}story")
    t.shot("larger")
    t.size(20, 60)
    t.gone(r"(.*\n){21}")
    t.shot("smaller")
    t.size(24, 80)
    t.see(r"(.*\n){22}story")
    t.key(":only\r", ":r !seq 3; stty size\r")
    t.see(r"^24 80")
    t.key(":!echo outside\r")
    t.see("Press ENTER")
    t.shot("shell-command")
    t.key("\r")
    t.see(r"159,1")
    t.key(ctrl("v"), "jjlIxyz", ESC)
    t.see(r"^xyzline 15[123]", "xyzline 152")
    t.key(ctrl("z"))
    t.see("Stopped")
    t.prompt()
    t.key("ls -a | grep swp; jobs; fg\r")
    t.see(r"15[0-9],")
    t.shot("again")
    t.key(":wq\r")
    t.see("written")
    t.prompt()
    t.command("wc story; ls -a | grep -c swp")
    t.see(r"^0")
    t.shot("left")


def less(t):
    t.command("less story")
    t.see("^story")
    t.shot("opened")
    t.key(" ")
    t.see("^line 46$")
    t.key("/line 2.4\r")
    t.see(r"\Aline 204$")
    t.shot("found")
    t.key("n", "n")
    t.see(r"\Aline 224$")
    t.key("G")
    t.see(r"\(END\)")
    t.shot("end")
    t.size(40, 100)
    t.see(r"(.*\n){38}")
    t.shot("larger")
    t.size(24, 80)
    t.gone(r"(.*\n){25}")
    t.key("1g&7$\r")
    t.see(r"^line 17$")
    t.shot("filtered")
    t.key("&\r", "!echo from the shell\r")
    t.see("done")
    t.shot("shell-command")
    t.key("\r")
    t.gone("done")
    t.key("q")
    t.prompt()
    t.command("seq 1000 | less -N +500g")
    t.see(r"\A +500 500$")
    t.shot("pipe")
    t.key("q")
    t.prompt()
    t.command("(sleep 0.3; echo grown >>grows) & less +F grows")
    t.see("^grown$")
    t.key(ctrl("c"))
    t.see(r"\(END\)|^grows")
    t.key("q")
    t.prompt()


def tmux(t):
    t.command("tmux -S $PWD/sock -f tmux.conf new -s one")
    t.see(r"\Abash\S*#", r"^\[one\]")
    t.shot("opened")
    t.key("echo left; stty size\r")
    t.see("^23 80")
    t.key(ctrl("b"), "%")
    t.see("│bash")
    t.key("echo right; stty size\r")
    t.see("23 39")
    t.shot("beside")
    t.key(ctrl("b"), '"')
    t.see("├─", "(?s)─.*│bash")
    t.key("vim -u vimrc -R story\r")
    t.see("1,1 +Top")
    t.shot("vim-in-a-pane")
    t.size(32, 120)
    t.see(r"(.*\n){31}\[one\]", r"(.*\n){28}.*1,1 +Top")
    t.shot("larger")
    t.size(24, 80)
    t.see(r"(.*\n){23}\[one\]", r"(.*\n){20}.*1,1 +Top")
    t.shot("as-before")
    t.key(":q\r")
    t.gone("1,1")
    t.key(ctrl("b"), "c")
    t.see(r"\Abash\S*#", "1:.*\\*")
    t.key("seq 100\r")
    t.see("^100$")
    t.key(ctrl("b"), "[")
    t.see(r"\A79 .*\[0/79\]")
    t.key("\x1b[5~")
    t.see(r"\A5.*/79\]")
    t.shot("copy-mode")
    t.key("q")
    t.gone("/79")
    t.key(ctrl("b"), "d")
    t.see("detached")
    t.prompt()
    t.command("tmux -S $PWD/sock ls -F '#{session_name} #{session_windows}'; "
              "tmux -S $PWD/sock capture-pane -p -t one:1 >captured")
    t.see("^one 2")
    t.prompt()
    t.command("tmux -S $PWD/sock attach")
    t.see(r"^\[one\]")
    t.shot("attached")
    t.key(ctrl("b"), ":")
    t.see(r"^:\Z")
    t.key("kill-server\r")
    t.see("server exited")
    t.prompt()


def nano(t):
    t.command("nano --ignorercfiles poem")
    t.see(r"\^X Exit")
    t.shot("opened")
    t.key("Roses are red,\rviolets are blue,\rterminals are hard", UP, UP, "\x1b[F", " indeed")
    t.see("red, indeed")
    t.key(ctrl("w"), "hard\r")
    t.quiet()
    t.shot("found")
    t.key(ctrl("k"), ctrl("u"), ctrl("u"))
    t.see(r"hard\n.*hard")
    t.size(30, 60)
    t.see(r"(.*\n){28}.*\^X Exit")
    t.shot("resized")
    t.size(24, 80)
    t.see(r"(.*\n){22}.*\^X Exit")
    t.key(ctrl("o"))
    t.see("File Name to Write")
    t.key("\r")
    t.see("Wrote")
    t.key(ctrl("x"))
    t.prompt()


def ed(t):
    t.command("ed story")
    t.see("^[0-9]{4}$")
    t.key("1,2p\r")
    t.see("^line 2$")
    t.key("a\rin between\r.\r/in b/p\r")
    t.see("^in between\n(.*\n)*in between")
    t.key("wq\r")
    t.prompt()
    t.shot("left")


def top(t):
    t.command("top -d 1")
    t.see(r"^top - .* up .*load average: ", r"^Tasks:", r"^%Cpu", r"PID USER .*COMMAND", r" top$")
    t.size(30, 100)
    t.see(r"PID USER .*COMMAND")
    t.key("h")
    t.see("Help for Interactive Commands", "Type 'q'|to continue")
    t.key("q")
    t.see(r"^Tasks:")
    t.key("q")
    t.prompt()
    t.size(24, 80)
    t.command("htop -d 5")
    t.see(r"Tasks: ", r"Load average: ", r"^F1Help +F2Setup", r"htop")
    t.size(30, 100)
    t.see(r"(.*\n){29}F1Help +F2Setup")
    t.key("\x1b[[A")
    t.see(r"htop .* - \(C\)")
    t.key("q")
    t.see(r"F1Help +F2Setup")
    t.key("q")
    t.see(r"^\$(?! *Help)")
    t.size(24, 80)


def script(t):
    t.command("script -q -c 'stty size; exec bash --norc --noprofile' typescript")
    t.see(r"^24 80\n\$$")
    t.key("echo in script; vim -u vimrc -R story\r")
    t.see("1,1 +Top")
    t.size(30, 90)
    t.see(r"(.*\n){28}story")
    t.shot("resized")
    t.size(24, 80)
    t.see(r"(.*\n){22}story")
    t.key(":q\r")
    t.prompt()
    t.key("sleep 100\r")
    t.see("sleep 100")
    time.sleep(0.2)
    t.key(ctrl("z"))
    t.see("Stopped")
    t.key("fg\r")
    t.see(r"fg\nsleep 100")
    time.sleep(0.2)
    t.key(ctrl("c"))
    t.see(r"\^C")
    t.prompt()
    t.key("exit 3\r")
    t.see("^exit$")
    t.prompt()
    t.command("echo $?; grep -c 'in script' typescript")
    t.see("^0\n[0-9]+$")
    t.shot("left")


def readline(t):
    t.command("echo one two three")
    t.see("^one two three")
    t.prompt()
    t.key(UP, ctrl("a"), "\x1bf", " zero", ctrl("e"), "\x1b\x7f", "four\r")
    t.see("^zero one two four")
    t.prompt()
    t.key("ls sto\tx", "\x7f", "\r")
    t.see("^story")
    t.prompt()
    t.key("ls s\t\t")
    t.see("story .*subdir|subdir.*story")
    t.shot("completion")
    t.key("ub\t\r")
    t.prompt()
    t.key(ctrl("r"), "zero")
    t.see("reverse-i-search")
    t.shot("search")
    t.key(ctrl("g"))
    t.prompt()
    t.key("echo " + "long " * 30)
    t.see("long long long")
    t.shot("wrapped")
    t.size(24, 50)
    t.quiet()
    t.key(ctrl("a"), ctrl("k"))
    t.size(24, 80)
    t.command("read -s -p 'secret: ' s; echo; echo got $s")
    t.see("^secret:")
    t.key("hidden\r")
    t.see("got hidden")
    t.shot("silent")
    t.command("cat >typed")
    t.see("cat >typed")
    time.sleep(0.2)
    t.key("abc\x7fd", ctrl("w"), "two words", ctrl("w"), "lines\r", "x\ty", ctrl("u"), "z\r", ctrl("d"))
    t.prompt()
    t.shot("line-discipline")


def paste(t):
    """More than any buffer holds, while as much is written."""
    t.command("stty -echo; echo ready; tee pasted; wc pasted; stty echo")
    t.see("^ready")
    for i in range(1500):
        t.key(f"{i} " + "paste " * 12 + "\r")
    t.key(ctrl("d"))
    t.see("^ +1500 +")
    t.prompt()
    t.shot("lines")
    t.command("stty raw -echo; echo ready; head -c 150000 >pasted; stty sane; md5sum pasted")
    t.see("^ *ready")
    for i in range(150):
        t.key(f"{i:4} " + "x" * 995)
    t.see(" pasted$")
    t.shot("bytes")
    # Nobody reads, and no buffer is left: what is written comes all the same.
    t.command("stty -echo; echo ready; (sleep 0.5; echo written) & sleep 1000")
    t.see("^ready")
    for _ in range(400):
        if not select.select([], [t.fd], [], 0.2)[1]:
            break
        os.write(t.fd, b"unread " * 140 + b"\r")
    t.see("^written")


def jobs(t):
    t.command("vim -u vimrc -R story")
    t.see("1,1")
    t.key(ctrl("z"))
    t.see("Stopped")
    t.command("less grows &")
    t.see(r"\[2\]")
    t.prompt()
    t.quiet()
    t.key("\r")
    t.see(r"\[2\]\+  Stopped .*less")
    t.command("jobs")
    t.see(r"\[2\]\+  Stopped .*less")
    t.prompt()
    t.shot("jobs")
    t.key("fg %1\r")
    t.see("1,1 +Top")
    t.shot("vim")
    t.key(ctrl("z"))
    t.see("Stopped")
    t.prompt()
    t.size(30, 90)
    t.key("fg %2\r")
    t.see("END")
    t.shot("less-after-resize")
    t.size(24, 80)
    t.gone(r"(.*\n){25}")
    t.key("q")
    t.prompt()
    t.key("fg\r")
    t.see(r"(.*\n){22}story")
    t.shot("vim-after-resize")
    t.key(":q\r")
    t.prompt()
    t.command("trap 'echo size $(stty size)' WINCH; sleep 0.1; jobs; echo none")
    t.see("^none")
    t.prompt()
    for lines, columns in (31, 81), (24, 80):
        t.size(lines, columns)
        time.sleep(0.2)
        t.key("true\r")
        t.see(f"size {lines} {columns}")
    t.command("trap - WINCH")
    t.prompt()


def python(t):
    t.command("/usr/bin/python3 window")
    t.see("curses here")
    t.shot("curses")
    t.key("k")
    t.see("'k'")
    t.size(30, 90)
    t.see(r"\('KEY_RESIZE', \(30, 90\)\)")
    t.shot("resized")
    t.size(24, 80)
    t.see(r"\(24, 80\)")
    t.key(LEFT)
    t.see("KEY_LEFT")
    t.key("\x1b[[E")
    t.see("KEY_F")
    t.key("q")
    t.prompt()
    t.command("/usr/bin/python3 -q")
    t.see("^>>>")
    t.key("def f(x):\r  return x * 2\r\rf(21)\r")
    t.see(r"^42\n>>>\Z")
    t.key(UP, LEFT, "3", ctrl("e"), " + 1\r")
    t.see(r"^427\n>>>\Z")
    t.key("import time; time.sleep(100)\r")
    t.see(r"sleep\(100\)$")
    time.sleep(0.2)
    t.key(ctrl("c"))
    t.see(r"^KeyboardInterrupt\n>>>\Z")
    t.shot("repl")
    t.key(ctrl("d"))
    t.prompt()


SESSIONS = [vim, less, tmux, nano, ed, top, script, readline, paste, jobs, python]


# ---- where they run ----


def fill(d):
    """The files that each session finds."""
    os.makedirs(d + "/subdir")
    for name, text in {
        "story": "".join(f"line {i}\n" for i in range(1, 301)),
        "grows": "start\n",
        "vimrc": "set nocompatible ruler laststatus=2 swapfile directory=. ttimeout ttimeoutlen=50"
                 " showcmd backspace=2 viminfo= noshowmode updatecount=1\n",
        "inputrc": "set bell-style none\nset enable-bracketed-paste off\nset page-completions off\n",
        "window": "import curses\n\n\ndef main(w):\n    k = ''\n    while k != 'q':\n        w.erase()\n"
                  "        w.addstr(3, 4, 'curses here', curses.A_REVERSE)\n"
                  "        w.addstr(5, 4, repr((k, w.getmaxyx())))\n        k = w.getkey()\n\n\n"
                  "curses.wrapper(main)\n",
        "tmux.conf": "set -g status-right ''\nset -g status-left '[#S] '\nset -g default-command"
                     " 'exec bash --norc --noprofile -i'\nset -g escape-time 10\nsetw -g automatic-rename off\n"
                     "set -g assume-paste-time 0\nset -g status-interval 0\nset -g window-status-current-format '#I:here*'\n"
                     "set -g window-status-format '#I:there'\n",
    }.items():
        with open(f"{d}/{name}", "w") as f:
            f.write(text)


def files(d):
    """name -> contents; a recording's first line has the time."""
    found = {}
    for top_dir, _, names in os.walk(d):
        for n in names:
            p = os.path.join(top_dir, n)
            if os.path.isfile(p):
                text = open(p, "rb").read()
                found[os.path.relpath(p, d)] = b"" if n == "typescript" else text
    return found


class Place:
    def __init__(self, name, work, command):
        self.name, self.command, self.dir = name, command, f"{work}/{name}"
        self.lines = []

    def session(self, fn, shots):
        shutil.rmtree(self.dir, ignore_errors=True)
        fill(self.dir)
        t = Terminal(self.command, shots)
        try:
            t.prompt()
            fn(t)
        finally:
            t.close()
        return t.taken, files(self.dir)

    def compare(self, wanted, native):
        for fn in wanted:
            try:
                _, left = self.session(fn, native[fn][0])
                for name in sorted(left.keys() | native[fn][1].keys()):
                    if left.get(name) != native[fn][1].get(name):
                        raise Different(f"file {name}: {left.get(name)!r:.300} natively"
                                        f" {native[fn][1].get(name)!r:.300}")
                self.lines.append(f"ok app/terminal-{self.name}/{fn.__name__}")
            except (Different, EOFError, OSError, KeyError) as e:
                self.lines.append(f"  {e}\nFAIL app/terminal-{self.name}/{fn.__name__}")


def bundle(runsc, work, name, source, args):
    """A bundle over the host's files with the session's directory at its own path."""
    d = f"{work}/{name}.bundle"
    os.mkdir(d)
    subprocess.run([runsc, "spec"], cwd=d, check=True)
    c = json.load(open(d + "/config.json"))
    c["root"] = {"path": "/", "readonly": True}
    c["process"].update(args=args, terminal=name == "run", env=["PATH=/usr/bin:/bin"])
    c["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
    c["mounts"].append({"destination": source, "type": "bind", "source": source,
                        "options": ["rbind", "rw"]})
    json.dump(c, open(d + "/config.json", "w"))
    return d


def in_parallel(fn, items):
    threads = [threading.Thread(target=fn, args=(i,)) for i in items]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def main():
    runsc, names = os.path.realpath(sys.argv[1]), sys.argv[2:]
    wanted = [f for f in SESSIONS if not names or f.__name__ in names]
    # Not below /tmp: a sandbox sees the host's files, but has a /tmp of its own.
    work = tempfile.mkdtemp(prefix="runsc-test.term.", dir="/var/tmp")
    run, shell = [runsc, "--root", work + "/state"], lambda n: ["sh", "-c", SHELL.format(dir=f"{work}/{n}")]
    held = os.path.basename(work)
    null = {k: subprocess.DEVNULL for k in ("stdin", "stdout", "stderr")}
    try:
        native, places = {}, []
        errors = []

        def natively(i):
            try:
                place = Place(f"native{i}", work, shell(f"native{i}"))
                for fn in wanted[i::3]:
                    native[fn] = place.session(fn, None)
            except (Different, EOFError, OSError) as e:
                errors.append(e)

        in_parallel(natively, range(3))
        if errors:
            raise errors[0]
        for n in "do", "run", "exec":
            os.mkdir(f"{work}/{n}")
        places.append(Place("do", work + "/do", [runsc, "do", "--rw", work + "/do", "--"] + shell("do/do")))
        b = bundle(runsc, work, "run", work + "/run", shell("run/run"))
        places.append(Place("run", work + "/run", ["sh", "-c", f'exec "$@" {held}-run-$$', "sh"] + run + ["run", "-b", b]))
        b = bundle(runsc, work, "exec", work + "/exec", ["sleep", "1000"])
        subprocess.run(run + ["create", "-b", b, held], check=True, **null)
        subprocess.run(run + ["start", held], check=True)
        places.append(Place("exec", work + "/exec", run + ["exec", "-t", held] + shell("exec/exec")))
        in_parallel(lambda p: p.compare(wanted, native), places)
        subprocess.run(run + ["delete", "--force", held])
        left = os.listdir(work + "/state")
        print(f"  {left}\nFAIL app/terminal-state" if left else "ok app/terminal-state")
        for p in places:
            print("\n".join(p.lines))
        return bool(left) or any("FAIL" in x for p in places for x in p.lines)
    finally:
        for i in range(3):
            subprocess.run(["tmux", "-S", f"{work}/native{i}/sock", "kill-server"], **null)
        shutil.rmtree(work, ignore_errors=True)


sys.exit(main())
