"""The programs of the matrix: what is run, and what is expected of it.

A command finds in its environment $dir, a connector's directory on the mount, $old, the config.json
in it, and $new, a copy with "second" in the place of "first". HOME is a directory outside of the
mount, where it starts: in it are new.json, which is $new, and src/config.json, the same.
"""

import dataclasses

from editors import EDITORS


def fails(status=1, says="Invalid argument"):
    """What a program makes of a refused save: its exit status, and what it says."""
    return status, says


UNNOTICED = fails(0, "")
SILENT = fails(1, "")


@dataclasses.dataclass(frozen=True)
class Command:
    name: str
    script: str
    refused: tuple = fails()
    needs: str = ""  # programs
    puts: int = 1
    refused_puts: int = 1
    ends_with: str = "second"
    says: str = ""  # what it writes when all is well: nothing
    in_form: bool = True  # whether it writes the form that config.json has
    status: int = 0
    keeps: bool = True  # False: it removes config.json.error and .rejected


def command(name, script, refused=fails(), needs="", **more):
    """Needs the first word of its name, at least."""
    return Command(name, script, refused, f"{name.split()[0].rstrip(',')} {needs}", **more)


def shell(name, script, refused=fails(), **more):
    return Command(name, script, refused, "bash", **more)


def python(name, code, refused=fails(), **more):
    start = "import json, mmap, os, tempfile; old, new = os.environ['old'], open('new.json').read()"
    return Command("python " + name, f'/usr/bin/python3 -c "{start}; {code}"', refused,
                   "/usr/bin/python3", **more)


# A backup of the directory, src, in which config.json was changed.
BACKUP = 'cp -a $dir/. src && cp new.json src/config.json && '
# $dir becomes a repository at its first commit; there is a branch "two", and the same as a stash.
GIT = """export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=t GIT_COMMITTER_NAME=t
    export GIT_AUTHOR_EMAIL=t GIT_COMMITTER_EMAIL=t
    cd src && git init -q --template= && cp $old . && git add . && git commit -qm first &&
    cp ../new.json config.json && git stash -q &&
    git checkout -qb two && cp ../new.json config.json && git commit -qam second &&
    git checkout -q master && cp -r .git $dir && cd $dir && git reset -q && """
JQ = """jq '."kafka.topic" = "second"' $old """
EX = "printf '%s\\n' %s/first/second/ wq | "
AWK = """'{ sub(/first/, "second"); print }' $old"""
PATCH = "diff -u $old $new | patch"
RENAMED = fails(1, "cannot move .* to a subdirectory of itself")  # mv's words for EINVAL
RSYNC = fails(23, "Invalid argument")
RSYNC_IN_PLACE = fails(11, "Invalid argument")
TAR = fails(2, "config.json: Cannot close: Invalid argument")
PERL = fails(22, "failed to rename work file .*: Invalid argument")
GIO = fails(2, "Error renaming temporary file: Invalid argument")

COMMANDS = [
    # Filters and editors without a screen.
    command("sed -i", "sed -i s/first/second/ $old", fails(4)),
    command("sed -i.bak", "sed -i.bak s/first/second/ $old", fails(4)),
    command("sed -i --follow-symlinks", "sed -i --follow-symlinks s/first/second/ $old", fails(4)),
    command("busybox sed -i", "busybox sed -i s/first/second/ $old"),
    command("perl -pi", "perl -pi -e s/first/second/ $old", PERL),
    command("perl -pi.bak", "perl -pi.bak -e s/first/second/ $old", PERL),
    command("gawk -i inplace", "gawk -i inplace " + AWK, fails(2)),
    command("gawk -i inplace, suffix", "gawk -i inplace -v inplace::suffix=.bak " + AWK, fails(2)),
    command("dos2unix", "dos2unix -q $old", puts=0, ends_with="first"),
    command("dos2unix -n", "sed 's/$/\\r/' new.json >dos && dos2unix -n dos $old",
            fails(22, "problems renaming .*: Invalid argument"), says="^dos2unix: converting file"),
    command("jq, mv", JQ + ">$dir/t && mv $dir/t $old", RENAMED),
    command("jq, mv from elsewhere", JQ + ">t && mv t $old"),
    command("jq, sponge", JQ + "| sponge $old", needs="sponge"),
    command("jq, sponge beside it", JQ + "| TMPDIR=$dir sponge $old", needs="sponge",
            refused_puts=2),  # a rename, then a copy
    command("ed, w", "printf '%s\\n' ,s/first/second/ w q | ed -s $old"),
    command("ed, w twice", "printf '%s\\n' ,s/first/third/ w ,s/third/second/ w q | ed -s $old",
            puts=2, refused_puts=2),
    command("ed, W", """: >$old; printf '%s\\n' "W $old" q | ed -s $new"""),
    command("ex -s", EX + "ex -s -N -u NONE $old", SILENT),
    command("vim -es", "vim -N -u NONE -i NONE -es -c %s/first/second/ -c wq $old", SILENT),
    command("nvim -es", EX + "nvim -es -u NONE $old", SILENT),
    command("nvi -es", "printf '%s\\n' \"set recdir=$TMPDIR\" \"e $old\" %s/first/second/ wq | "
            "nvi -es",
            says="^Error: stderr: Inappropriate ioctl for device$"),
    command("emacs --batch", "emacs --batch -Q $old --eval '(replace-string \"first\" \"second\")' "
            "-f save-buffer", fails(255, "Write error.*Invalid argument"),
            says="^Mark set\nReplaced 1 occurrence\n$"),
    python("w", "c = json.load(open(old)); c['kafka.topic'] = 'second'; f = open(old, 'w'); "
           "json.dump(c, f); f.close()", in_form=False),
    python("w, no close", "open(old, 'w').write(new)", UNNOTICED),
    python("r+", "f = open(old, 'r+'); f.write(new); f.truncate(); f.close()"),
    python("mmap", "f = open(old, 'r+b'); f.truncate(len(new)); m = mmap.mmap(f.fileno(), 0); "
           "m[:] = new.encode(); m.flush(); m.close(); f.close()"),
    python("tempfile, replace", "f = tempfile.NamedTemporaryFile('w', dir=os.environ['dir'], "
           "delete=False); f.write(new); f.close(); os.replace(f.name, old)"),
    # Copies.
    command("cp", "cp $new $old"),
    command("cp -a", "cp -a $new $old"),
    command("cp -b", "cp -b $new $old"),
    command("cp -f", "cp -f $new $old"),
    command("cp --backup=numbered", "cp --backup=numbered $new $old"),
    command("cp --remove-destination", "cp --remove-destination $new $old"),
    command("cp -r", BACKUP + "cp -r src/config.json src/state $dir"),
    command("cp -l", "cp $new $dir/t && cp -lf $dir/t $old"),
    command("cp, unchanged", "cp $old t && cp t $old", puts=0, ends_with="first"),
    command("mv", "cp $new $dir/t && mv $dir/t $old", RENAMED),
    command("mv -b", "cp $new $dir/t && mv -b $dir/t $old", RENAMED),
    command("mv -n, mv", "cp $new $dir/t && mv -n $dir/t $old; mv $dir/t $old", RENAMED),
    command("mv from elsewhere", "mv $new $old"),
    command("mv -b from elsewhere", "mv -b $new $old"),
    command("mv away", "mv $old $dir/t", puts=0, ends_with="first"),
    command("mv away, cp", "mv $old $dir/t && cp $new $old"),
    command("install", "install $new $old"),
    command("install -b", "install -b -m 666 $new $old"),
    command("install -C", "install -C -m 600 $new $old"),
    command("install -C, unchanged", "cp $old t && install -C -m 600 t $old", puts=0,
            ends_with="first"),
    command("dd", "dd if=$new of=$old status=none"),
    command("dd bs=100", "dd if=$new of=$old bs=100 status=none"),
    command("dd conv=fsync", "dd if=$new of=$old conv=fsync status=none"),
    command("dd conv=notrunc", "dd if=$new of=$old conv=notrunc status=none"),
    command("tee", "tee $old <$new >/dev/null"),
    command("truncate, same size", "truncate -s $(stat -c %s $old) $old", puts=0,
            ends_with="first"),
    command("truncate to nothing", "truncate -s 0 $old", puts=0, ends_with="first"),
    command("truncate, >>", "truncate -s 0 $old; cat $new >>$old"),
    command("touch", "touch $old", puts=0, ends_with="first"),
    command("touch -d", "touch -d 2020-01-01 $old", puts=0, ends_with="first"),
    command("ln -f", "cp $new $dir/t && ln -f $dir/t $old"),
    command("ln -f, cp", "ln -f $old $dir/t && cp $new $old", needs="cp"),
    shell("cat >", "cat $new >$old"),
    shell("printf >", 'printf "%s\\n" "$(cat $new)" >$old', UNNOTICED),
    shell("cat <>", "cat $new 1<>$old"),
    shell("> and >>", "head -c 100 $new >$old; tail -c +101 $new >>$old",
          says="^head: write error: Invalid argument\n$"),
    shell("> and twice >>", "head -c 100 $new >$old; head -c 200 $new | tail -c +101 >>$old; "
          "tail -c +201 $new >>$old",
          says="^head: write error: Invalid argument\ntail: .*: Invalid argument\n$"),
    shell(": > and >>", ": >$old; cat $new >>$old"),
    shell(": >", ": >$old", puts=0, ends_with="first"),
    # Backups on their way back.
    command("rsync -a", BACKUP + "rsync -a src/ $dir/", RSYNC),
    command("rsync -aAXH", BACKUP + "rsync -aAXH src/ $dir/", RSYNC),
    command("rsync --inplace", BACKUP + "rsync -a --inplace src/ $dir/", RSYNC_IN_PLACE),
    command("rsync --inplace --no-W", BACKUP + "rsync -a --inplace --no-W src/ $dir/",
            RSYNC_IN_PLACE),
    command("rsync -b", BACKUP + "rsync -ab src/ $dir/", RSYNC),
    command("rsync -T", BACKUP + "rsync -aT $TMPDIR src/ $dir/", RSYNC),
    command("rsync --delay-updates", BACKUP + "rsync -a --delay-updates src/ $dir/", RSYNC),
    command("rsync --fsync", BACKUP + "rsync -a --fsync src/ $dir/", RSYNC),
    command("rsync --delete", BACKUP + "touch $dir/t && rsync -a --delete src/ $dir/", RSYNC),
    command("rsync --delete-after", BACKUP + "touch $dir/t && rsync -a --delete-after src/ $dir/",
            RSYNC, keeps=False),
    command("rsync --checksum", BACKUP + "rsync -a --checksum src/ $dir/", RSYNC),
    command("rsync, unchanged", "cp -a $dir/. src && rsync -aI src/ $dir/", puts=0,
            ends_with="first"),
    command("tar x", BACKUP + "tar c -C src . | tar x -C $dir", TAR),
    command("tar x --overwrite", "tar c -C src config.json | tar x --overwrite -C $dir", TAR),
    command("tar x -U", "tar c -C src config.json | tar x -U -C $dir", TAR),
    command("busybox tar x", "tar c -C src config.json | busybox tar x -C $dir", UNNOTICED),
    command("unzip -o", "(cd src && zip -q ../z config.json) && unzip -qo z -d $dir", UNNOTICED,
            needs="zip"),
    command("cpio -iu", "(cd src && echo config.json | cpio -o --quiet) >z && cd $dir && "
            "cpio -iu --quiet <~/z", fails(2, "Cannot close: Invalid argument")),
    command("patch", PATCH + " -s $old", fails(2), needs="diff"),
    command("patch -b", PATCH + " -sb $old", fails(2), needs="diff"),
    # It does not look at what close() says, but at the file's size, and writes once more.
    command("git checkout", GIT + "git checkout -q two", UNNOTICED, refused_puts=2),
    command("git restore", GIT + "git restore --source two config.json", UNNOTICED, refused_puts=2),
    command("git stash", GIT + "cp $new $old && git stash -q", puts=2, ends_with="first"),
    command("git stash pop", GIT + "git stash pop -q", UNNOTICED, refused_puts=2),
    command("git apply", GIT + "git diff master two | git apply", fails(128)),
    command("unison", "cp -a $dir/. src && unison -silent src $dir >/dev/null && "
            "cp new.json src/config.json && unison -silent src $dir", fails(2)),
    command("rclone copy", "rclone -q --config= copyto $new $old", fails(1, "invalid argument"),
            refused_puts=3),
    command("gio save", "gio save $old <$new", GIO),
    command("gio save -b", "gio save -b $old <$new", GIO),
    command("gio copy", "gio copy $new $old", fails(1)),
]

# No filesystem can help: it closes half a file first, which is refused, not sent, and kept.
APPENDED = command(
    "rsync --append-verify",
    """jq '.zeta = "second"' $new >src/config.json && rsync -a --append-verify src/ $dir/""",
    needs="jq", puts=0, ends_with="first", status=11,
    says='close failed on ".*config.json": Invalid argument')

ROWS = COMMANDS + [APPENDED] + EDITORS
