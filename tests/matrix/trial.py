"""One row of the matrix on one connector: what it does, and what has to hold then."""

import re
import shutil

import harness
from account import Place
from rows import Command
from screen import Screen

PROMPTS = (r"(?i)changed on disk|has changed|been modified|modified (in the meantime|more recently)"
           r"|changed since|is newer|reload|really (save|overwrite|write)|save anyway|W1[0-9]:")


class Trial:
    def __init__(self, account, row):
        self.account, self.row = account, row
        self.place, self.writes, self.failures, self.missing = None, [], [], None

    def result(self):
        if self.missing:
            return f"skipped: no {self.missing}"
        if self.failures:
            return "FAILED"
        fails = isinstance(self.row, Command) and self.row.status != 0
        return "ok, asks" if self.asks() else "ok, it fails" if fails else "ok"

    def check(self, function, *args):
        """Notes what fails, and goes on."""
        try:
            function(*args)
        except (AssertionError, OSError) as error:
            self.failures.append(str(error) or repr(error))

    def refused(self):
        """Whether this row's save is to be refused."""
        return self.account.variant.refuses and self.row.puts > 0

    def asks(self):
        """Whether this row's editor has to ask before its second save."""
        return self.account.variant.reformed and not isinstance(self.row, Command) and \
            self.row.asked is not None

    def expected_puts(self):
        if self.refused():
            return self.row.refused_puts
        return 2 if self.account.variant.again else self.row.puts

    def run(self, process):
        """All that the program does, and what holds at its end."""
        self.missing = next((name for name in self.row.needs.split() if not shutil.which(name)),
                            None)
        if self.missing:
            return
        self.place = Place(self.account, self.row, process)
        self.check(self.command if isinstance(self.row, Command) else self.session)
        if not self.refused() and self.row.puts > 0:
            self.check(self.place.assert_saved, self.ends_with())

    def ends_with(self):
        return "third" if self.account.variant.again else self.row.ends_with

    def settle(self, process, calls):
        """What holds after the grace time; `calls` is what was asked of its connector."""
        if self.place is None:
            return
        place, self.place.process = self.place, process
        self.writes = [method for method in calls if method != "GET"]
        if self.writes != ["PUT"] * self.expected_puts():
            self.failures.append(f"sent: {self.writes}")
        if "PUT PUT" in " ".join(calls) or calls[:1] == ["PUT"]:
            self.failures.append(f"a PUT without a look before it: {calls}")
        if self.refused():
            self.check(place.assert_refused, self.row.in_form, self.row.keeps)
        else:
            self.check(place.assert_saved, self.ends_with())
            if self.row.puts > 0:
                self.check(place.assert_nothing_kept)

    def command(self):
        row = self.row
        done = harness.run(row.script, shell=True, status=None, cwd=self.place.home,
                           **self.place.env)
        status, says = row.refused if self.refused() else (row.status, row.says)
        assert done.status == status, f"not status {status}: {done}"
        said = done.output + done.errors
        assert re.search(says, said) if says else said == "", f"said: {said}"

    def session(self):
        """In a screen editor."""
        place, row, variant = self.place, self.row, self.account.variant
        screen = Screen(self.account.terminals, place.name, f"cd $dir; {row.start}", place.home,
                        place.env)
        blank = " " if variant.reformed else ""
        try:
            screen.wait("kafka.topic")
            self.edit(screen, 'first"', 'second"' + blank)
            if self.refused():
                screen.wait(row.refused or row.saved)
                screen.type(row.abandon)
                screen.end()
                return
            self.wait_saved(screen, "second")
            if variant.again:
                place.assert_saved("second")
                place.outlast()
                self.edit(screen, 'second"' + blank, 'third"',
                          *(row.asked if self.asks() else ()))
                self.wait_saved(screen, "third")
            screen.type(row.leave)
            assert screen.end() == 0, f"ended with status {screen.status}"
            asked = [re.search(PROMPTS, text) for text in screen.seen]
            if not self.asks():
                assert not any(asked), f"asked: {[found.group() for found in asked if found]}"
        finally:
            screen.close()

    def edit(self, screen, find, put, at_edit=(), at_save=()):
        screen.type(self.row.replace, FIND=find, PUT=put)
        screen.type(at_edit)
        screen.wait(f'"kafka.topic": "{put},')
        screen.type(self.row.save)
        screen.type(at_save)

    def wait_saved(self, screen, topic):
        def stored():
            screen.look()
            return self.place.topic() == topic
        screen.until(stored, "a save")
        screen.wait(self.row.saved)
