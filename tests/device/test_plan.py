"""The plan's records in sectors."""

from helper import raises
from ota import plan
from ota.errors import OverTheAirUpdateError

PURE = True


class Sectors:
    """Sectors in RAM that count what is done to them."""

    def __init__(self):
        self.data = {}
        self.writes = 0

    def read(self, number, buffer):
        buffer[:] = self.data[number]

    def write(self, number, buffer):
        self.writes += 1
        self.data[number] = bytes(buffer)


class Sink:
    """Sectors that nobody reads again: 2,000 records do not fit a board's heap."""

    def write(self, number, buffer):
        pass


def _fill(made, count):
    for i in range(count):
        made.append(plan.FILE, i, 0, bytes([i % 256]) * 20, "folder/file_%d.py" % i)


def _paths(made):
    made.rewind()
    out = []
    while made.next():
        out.append(made.path)
    return out


def test_records_come_back_in_order_and_whole():
    made = plan.Plan(Sectors(), 7)
    _fill(made, 100)
    made.rewind()
    for i in range(100):
        assert made.next()
        assert (made.action, made.length, made.path, made.digest) == (plan.FILE, i, "folder/file_%d.py" % i, bytes([i]) * 20)
    assert not made.next()


def test_an_empty_plan_has_no_records():
    made = plan.Plan(Sectors(), 0)
    made.rewind()
    assert not made.next()


def test_each_sector_is_written_once_while_the_plan_grows():
    sectors = Sectors()
    made = plan.Plan(sectors, 3)
    _fill(made, 60)
    made.close()
    assert sectors.writes == made.count == len(sectors.data)
    assert min(sectors.data) == 3


def test_a_mark_changes_only_its_record():
    made = plan.Plan(Sectors(), 0)
    _fill(made, 40)
    made.rewind()
    for i in range(40):
        made.next()
        if i % 3 == 0:
            made.mark(plan.WRITE, 1000 + i)
    made.rewind()
    for i in range(40):
        made.next()
        wanted = (plan.WRITE, 1000 + i) if i % 3 == 0 else (plan.FILE, 0)
        assert (made.action, made.offset) == wanted and made.length == i


def test_a_place_can_be_come_back_to():
    made = plan.Plan(Sectors(), 0)
    _fill(made, 40)
    made.rewind()
    for _ in range(25):
        made.next()
    place, path = made.place(), made.path
    made.rewind()
    made.next()
    while made.place() != place:
        made.next()
    assert made.path == path


def test_a_sealed_plan_is_taken_up_without_what_came_after():
    sectors = Sectors()
    made = plan.Plan(sectors, 2)
    _fill(made, 30)
    made.seal()
    count = made.count
    made.append(plan.DELETE, 0, 0, None, "old.py")
    made.close()
    again = plan.Plan(sectors, 2)
    again.restore(count, 30)
    assert _paths(again) == ["folder/file_%d.py" % i for i in range(30)]
    again.append(plan.DELETE, 0, 0, None, "other.py")
    assert _paths(again)[-1] == "other.py" and len(_paths(again)) == 31


def test_a_torn_sector_is_noticed():
    sectors = Sectors()
    made = plan.Plan(sectors, 0)
    _fill(made, 3)
    made.close()
    for length in (1, 29, 255):
        sectors.data[0] = bytes([length]) + sectors.data[0][1:-1] + b"\1"
        again = plan.Plan(sectors, 0)
        again.restore(1, 3)
        again.rewind()
        if length < 255:
            assert raises(OverTheAirUpdateError, again.next).code == "staged"


def test_more_files_than_a_board_takes_are_refused():
    made = plan.Plan(Sink(), 0)
    exc = raises(OverTheAirUpdateError, _fill, made, plan.MAX_FILES + 1)
    assert exc.code == "too_many" and not exc.later


def test_a_record_costs_less_than_eighty_bytes_on_flash():
    made = plan.Plan(Sink(), 0)
    _fill(made, 1000)
    assert made.count * plan.SECTOR <= 80 * 1000
