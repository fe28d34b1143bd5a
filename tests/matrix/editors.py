"""The screen editors of the matrix: how they are started, what is typed, what they show.

Keys are a text, typed at once, or (pattern, text), typed when the screen shows the pattern. FIND
and PUT stand for what is replaced. The editor starts in the directory of config.json.
"""

import dataclasses

ESC, TOP = "\x1b", "\x1b<"


@dataclasses.dataclass(frozen=True)
class Editor:
    name: str
    start: str  # a shell's words
    replace: tuple  # keys; wherever the cursor is
    save: tuple
    saved: str  # what is shown then
    leave: tuple
    refused: str  # what is shown when the save was refused; None: as if it were saved
    abandon: tuple  # leaves then, without another save
    # Keys that its questions get at the second edit and the second save, if the first save was not
    # in the form that is shown; None: it asks nothing.
    asked: tuple = None

    # Of every editor, in every variant with one save; as Command has it.
    puts = refused_puts = 1
    ends_with = "second"
    in_form = keeps = True

    @property
    def needs(self):
        return self.name.split()[0].rstrip(",")


UNSAVED = ("\x18\x03", ("Save file", "n"), ("Modified buffers exist", "yes\r"))


def vim(name, settings=None, program="vim"):
    """:checktime looks as when the terminal gets the focus."""
    words = "" if settings is None else f"-N -u NONE --cmd 'set {settings}'"
    return Editor(
        name, f"{program} {words} config.json", (":checktime\r", ":%s/FIND/PUT/\r"), (":w\r",),
        r"(B|bytes) written", (":q\r",), "E(512: Close|667: Fsync) failed", ("\r:qa!\r",))


def vi(name, start, saved, refused):
    return Editor(name, start + " config.json", (":%s/FIND/PUT/\r",), (":w\r",), saved, (":q\r",),
                  refused, (":q!\r",))


def emacs(name, setting="", **more):
    return Editor(
        name, f"emacs -nw -Q --eval '(setq {setting})' config.json",
        (TOP + ESC + "xreplace-string\rFIND\rPUT\r",), ("\x18\x13",), "Wrote /", ("\x18\x03",),
        **{"refused": "Write error: Invalid argument", "abandon": UNSAVED, **more})


def like_emacs(name, replace, saved, refused, abandon):
    return Editor(name, name + " config.json", (TOP, *replace), ("\x18\x13",), saved,
                  ("\x18\x03",), refused, abandon)


def nano(name):
    return Editor(
        name, name + " config.json",
        ("\x1c", ("Search", "FIND\r"), ("Replace with", "PUT\r"), ("this instance", "a")),
        ("\x0f", ("Write to File|Name to Write", "\r")), r"Wrote \d+ lines", ("\x18",),
        "Error writing .*: Invalid argument", ("\x18", ("Save modified", "n")))


def joe(name):
    return Editor(
        name, name + " config.json",
        ("\x0bu\x0bf", ("Find", "FIND\r"), (r"\(I\)gnore", "r\r"), ("Replace with", "PUT\r"),
         (r"Replace \(Y", "y")),
        ("\x0bd", ("Name of file", "\r")), "File config.json saved", ("\x0bq",), None, ("\x0bq",))


def mcedit(name, mode):
    settings = f"[Midnight-Commander]\\neditor_option_save_mode={mode}\\n"
    return Editor(
        name, "mkdir -p ~/.config/mc; printf '" + settings + "' >~/.config/mc/ini; "
        "mcedit config.json",
        (ESC + "[1;5H" + ESC + "4", ("Enter search", "FIND\tPUT\r"), ("Confirm replace", "r")),
        (ESC + "2", ("Save file", "\r")), r"config\.json +\[----\]", (ESC + "0",),
        "Save As", (ESC + ESC, (r"config\.json +\[-M--\](?s:(?!Save As).)*$", ESC + "0"),
                    ("was modified", "n")))


def kak(name, method):
    return Editor(
        name, f"kak -e 'set global writemethod {method}' config.json",
        ("%sFIND\rcPUT" + ESC,), (":w\r",), r"config.json \d+:\d+  1 sel", (":q\r",),
        "replacing file failed" if method == "replace" else None, (":q!\r",))


EDITORS = [
    vim("vim"),
    vim("vim, compatible", "compatible"),
    vim("vim backupcopy=auto", "backupcopy=auto"),
    vim("vim backupcopy=no", "backupcopy=no"),
    vim("vim backupcopy=yes", "backupcopy=yes"),
    vim("vim backupcopy=breakhardlink", "backupcopy=auto,breakhardlink"),
    vim("vim backup", "backup"),
    vim("vim undofile", "undofile"),
    vim("vim patchmode", "patchmode=.orig"),
    vim("vim nowritebackup", "nowritebackup"),
    vim("vim, all of them", "backup undofile patchmode=.orig backupcopy=no"),
    vim("nvim", program="nvim"),
    vim("nvim backupcopy=yes", "backupcopy=yes", "nvim"),
    emacs("emacs"),
    emacs("emacs by copy", "backup-by-copying t"),
    emacs("emacs numbered", "version-control t"),
    # It notes size and time of its temporary file before the rename: no filesystem can help.
    emacs("emacs precious", "file-precious-flag t", refused="Invalid argument",
          abandon=("\x18\x03",),
          asked=((("really edit the buffer", "y"),), (("Save anyway", "yes\r"),))),
    emacs("emacs no backup", "make-backup-files nil"),
    nano("nano"),
    nano("nano -B"),
    nano("nano -B -C $HOME"),
    nano("nano -G"),
    joe("joe"),
    joe("joe -break_hardlinks"),
    like_emacs("jed", (ESC + "xreplace_cmd\r", ("Replace:", "FIND\r"), ("with:", "PUT\r"),
                       (r"\(y/n", "!")), r"Wrote \d+ lines",
               "Error fsyncing file.*: Invalid argument",
               ("\x18\x03", ("not saved. Save it", "n"))),
    like_emacs("mg", (ESC + "xreplace-string\rFIND\rPUT\r",), "Wrote /",
               r"--\*\*-Mg", UNSAVED),  # it says nothing, but the buffer is still modified
    like_emacs("jove", (ESC + "xreplace-string\rFIND\rPUT\r",), r"\d+ characters",
               "fsync error: Invalid argument", ("\x18\x03", ("leave anyway", "yes\r"))),
    like_emacs("zile", (ESC + "%", ("Query replace string", "FIND\r"), ("with:", "PUT\r"),
                        (r"\(y, n", "!")),
               "Wrote /", "Error writing .*: Invalid argument", UNSAVED),
    Editor("micro", "micro config.json", ("\x05replaceall 'FIND' 'PUT'\r",), ("\x13",), "Saved ",
           ("\x11",), "close config.json: invalid argument",
           ("\x11", ("Save changes", "n"))),
    mcedit("mcedit quick", 0),
    mcedit("mcedit safe", 1),
    mcedit("mcedit backup", 2),
    Editor("ne", "ne config.json",
           ("\x0bGotoLine 1\r\x0bFind FIND\r\x0bReplaceAll PUT\r",), ("\x13",), "Saved", ("\x11",),
           "I/O error", ("\x11", ("not saved; are you sure", "y\r"))),
    kak("kak overwrite", "overwrite"),
    kak("kak replace", "replace"),
    vi("vile", "vile", r"Wrote \d+ lines", "Error closing: Invalid argument"),
    vi("nvi", "EXINIT='set recdir='$TMPDIR nvi", r"\d+ characters", "config.json: Invalid argument"),
    vi("busybox vi", "busybox vi", r"\d+L, \d+C", None),
]
