"""Job control of an interactive shell over a pty: the same keys, the same answers, natively
and in the sandbox (`do`, `run` with a terminal as pid 1, `exec -t`).

usage: jobcontrol.py NAME COMMAND...   prints "ok app/jobs-NAME/STEP" or FAIL lines
"""
import os, pty, re, select, signal, struct, sys, fcntl, termios, time

NAME, CMD = sys.argv[1], sys.argv[2:]
PROMPT = r"READY(\d+)> "
failed = False


class Shell:
    def __init__(self):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "dumb"
            os.execvp(CMD[0], CMD)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.buf = ""

    def until(self, pattern, limit=20):
        """What came up to a match of the pattern, and the match."""
        end = time.monotonic() + limit
        while True:
            m = re.search(pattern, self.buf)
            if m:
                seen, self.buf = self.buf[: m.end()], self.buf[m.end():]
                return seen
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise TimeoutError(f"no {pattern!r} in {self.buf!r}")
            try:
                d = os.read(self.fd, 4096)
            except OSError:
                d = b""
            if not d:
                raise EOFError(f"ended before {pattern!r}: {self.buf!r}")
            self.buf += d.decode(errors="replace").replace("\r", "")

    def send(self, keys):
        os.write(self.fd, keys.encode())

    def line(self, text, expect=PROMPT, limit=20):
        self.send(text + "\n")
        self.until(re.escape(text) + r"\n", limit)
        return self.until(expect, limit)


def step(name, fn, sh):
    global failed
    try:
        fn(sh)
        print(f"ok app/jobs-{NAME}/{name}")
    except Exception as e:
        failed = True
        print(f"  {e}\nFAIL app/jobs-{NAME}/{name}")
        sh.send("\x03\n")
        try:
            sh.until(PROMPT, 3)
        except Exception:
            pass
    sys.stdout.flush()


def want(text, pattern):
    if not re.search(pattern, text):
        raise AssertionError(f"no {pattern!r} in {text!r}")


def started(sh, cmd):
    """A foreground command that says when it runs."""
    sh.send(f"sh -c 'echo up; exec {cmd}'\n")
    sh.until(r"\nup\n")


def interrupt(sh):
    started(sh, "sleep 100")
    sh.send("\x03")
    sh.until(PROMPT)
    want(sh.line("echo st=$?"), r"^st=130\n")


def quit_key(sh):
    started(sh, "sleep 100")
    sh.send("\x1c")
    want(sh.until(PROMPT), "Quit")
    want(sh.line("echo st=$?"), r"^st=131\n")


def suspend(sh):
    started(sh, "sleep 100")
    sh.send("\x1a")
    want(sh.until(PROMPT), "Stopped")
    want(sh.line("jobs"), r"\[1\]\+ +Stopped")
    sh.line("bg")
    want(sh.line("jobs"), r"\[1\]\+ +Running")
    sh.send("fg\n")
    sh.until(r"sleep 100'?\n")
    time.sleep(0.3)  # it is said before the terminal is handed over
    sh.send("\x1a")
    want(sh.until(PROMPT), "Stopped")
    sh.line("kill %1")
    for _ in range(100):
        if re.match(r"none\n", sh.line("jobs; echo none")):
            return
        time.sleep(0.02)
    raise AssertionError("the job stays")


def pipeline(sh):
    sh.send("sh -c 'echo up >&2; exec sleep 100' | cat\n")
    sh.until(r"\nup\n")
    sh.send("\x1a")
    want(sh.until(PROMPT), "Stopped")
    sh.send("fg\n")
    sh.until(r"cat\n")
    time.sleep(0.3)
    sh.send("\x03")
    sh.until(PROMPT)
    want(sh.line("jobs; echo none"), r"^none\n")


def background_read(sh):
    sh.line("cat &")
    for _ in range(100):
        if "Stopped" in sh.line("jobs"):
            break
        time.sleep(0.02)
    want(sh.line("jobs"), r"Stopped(\(SIGTTIN\)| \(tty input\))?")
    sh.send("fg\n")
    sh.until(r"cat\n")
    sh.send("typed\n")
    sh.until(r"typed\ntyped\n")
    sh.send("\x04")
    sh.until(PROMPT)


def background_write(sh):
    sh.line("stty tostop")
    sh.line("sh -c 'echo from-behind' &")
    for _ in range(100):
        if "Stopped" in sh.line("jobs"):
            break
        time.sleep(0.02)
    sh.send("fg\n")
    sh.until(r"\nfrom-behind\n")
    sh.until(PROMPT)
    sh.line("stty -tostop")


def stops_itself(sh):
    sh.send("sh -c 'kill -STOP $$; echo resumed'\n")
    sh.until(r"Stopped")
    sh.until(PROMPT)
    sh.send("fg\n")
    sh.until(r"\nresumed\n")
    sh.until(PROMPT)


def nested(sh):
    sh.send("bash --norc --noprofile -i\n")
    sh.until(r"bash[^\n]*[#$] ")
    sh.send("sleep 100\n")
    time.sleep(0.3)
    sh.send("\x1a")
    sh.until(r"Stopped[^\n]*\n")
    sh.send("kill -9 %1; exec true\n")
    sh.until(PROMPT)


def groups(sh):
    out = sh.line("ps -o pid=,pgid=,sid=,tpgid= -p $$ | cat; echo me=$$")
    pid, pgid, sid, tpgid = map(int, re.search(r"(\d+) +(\d+) +(\d+) +(\d+)", out).groups())
    if not (pid == pgid and tpgid not in (pid, -1)):
        raise AssertionError(out)


def window(sh):
    sh.line("N=0; trap 'N=$((N+1))' WINCH")
    want(sh.line("stty size"), r"^40 120\n")
    want(sh.line("echo n=$N"), r"^n=0\n")
    fcntl.ioctl(sh.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    time.sleep(0.3)
    sh.line("true")
    want(sh.line("stty size; echo n=$N"), r"30 100\nn=1\n")
    sh.line("trap - WINCH")


def leave(sh):
    sh.send("exit 7\n")
    end = time.monotonic() + 10
    try:
        while time.monotonic() < end:
            os.read(sh.fd, 4096)
    except OSError:
        pass
    _, st = os.waitpid(sh.pid, 0)
    if os.waitstatus_to_exitcode(st) != 7:
        raise AssertionError(f"status {st:#x}")


def hang_up(_):
    """The terminal goes: the shell and its job end."""
    sh = Shell()
    sh.send("PS1='READY'; PS1=\"${PS1}1> \"\n")
    sh.until(PROMPT)
    started(sh, "sleep 1000")
    os.close(sh.fd)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if os.waitpid(sh.pid, os.WNOHANG)[0]:
            return
        time.sleep(0.05)
    os.kill(sh.pid, signal.SIGKILL)
    os.waitpid(sh.pid, 0)
    raise AssertionError("still there")


sh = Shell()
sh.send("PS1='READY'; PS1=\"${PS1}1> \"\n")
sh.until(PROMPT)
for f in (interrupt, quit_key, suspend, pipeline, background_read, background_write,
          stops_itself, nested, groups, window, leave, hang_up):
    step(f.__name__.replace("_", "-"), f, sh)
sys.exit(failed)
