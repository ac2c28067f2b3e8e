"""Places: nobody gets more than a share, nobody is forgotten, and turns go round."""

from __future__ import annotations

import random
import threading
from collections.abc import Hashable

import pytest

from app.server.company import JUST_NOW, LATELY, Company
from app.server.places import Place, Places


class Desk:
    """Asks for places, and sees who got them, in order."""

    def __init__(self, most: int, most_each: int) -> None:
        self.places = Places(most, most_each)
        self.got: list[Place] = []

    def ask(self, client: Hashable) -> Place:
        return self.places.ask(client, self.got.append)

    def clients(self) -> list[Hashable]:
        return [place.client for place in self.got]


def test_a_client_gets_its_share_and_no_more() -> None:
    desk = Desk(4, 2)
    asked = [desk.ask("a") for _ in range(5)]
    assert desk.got == asked[:2]
    other = desk.ask("b")
    assert other in desk.got, "what is left is for others"
    desk.places.leave(asked[0])
    assert desk.got[-1] is asked[2], "the one that waited longest"


# Those whom nobody knows are None.
@pytest.mark.parametrize("who", ["b", None])
def test_turns_go_round(who: Hashable) -> None:
    desk = Desk(2, 1)
    first, second = desk.ask("a"), desk.ask("c")
    for client in ("a", "a", who, "c"):
        desk.ask(client)
    desk.places.leave(first)
    # Not the one that asked first: a client that had none yet has as good a claim as it.
    assert desk.clients()[2:] == ["a"]
    desk.places.leave(second)
    assert desk.clients()[3:] == [who]


def test_who_goes_on_with_something_comes_before_its_clients_others_and_nobody_elses() -> None:
    desk = Desk(1, 1)
    held = desk.ask("a")
    for client in ("b", "a"):
        desk.ask(client)
    goes_on = [desk.places.ask("a", desk.got.append, first=True) for _ in range(2)]
    for _ in range(3):
        desk.places.leave(desk.got[-1])
    assert desk.got[1].client == "b"
    assert desk.got[2:] == goes_on
    assert held not in desk.got[1:]


def test_who_withdraws_is_not_called_and_blocks_nobody() -> None:
    desk = Desk(1, 1)
    held, gone, waits = (desk.ask("a") for _ in range(3))
    assert desk.places.withdraw(gone)
    assert not desk.places.withdraw(held), "it is held"
    desk.places.leave(held)
    assert desk.got == [held, waits]
    desk.places.leave(held)  # again: nothing
    assert desk.got == [held, waits]


def test_a_place_turns_out_to_be_anothers() -> None:
    desk = Desk(4, 2)
    strangers = [desk.ask(None) for _ in range(3)]
    assert desk.got == strangers[:2]
    desk.places.rename(strangers[0], "a")
    assert strangers[2] in desk.got, "the strangers have a place more"
    desk.places.rename(strangers[1], "a")
    desk.places.rename(strangers[2], "a")
    late = desk.ask("a")
    assert late not in desk.got
    desk.places.leave(strangers[0])
    assert late not in desk.got, "it still has its share"
    desk.places.leave(strangers[1])
    assert late in desk.got


def test_in_the_end_all_are_served_and_all_places_are_free() -> None:
    places = Places(5, 2)
    done: list[Place] = []
    serving = threading.Semaphore(0)
    queue: list[Place] = []
    most = [0]

    def begin(place: Place) -> None:
        queue.append(place)
        serving.release()

    def serve() -> None:
        for _ in range(1000):
            serving.acquire()
            place = queue.pop()
            if place.client is None:
                places.rename(place, random.choice("abc"))
            done.append(place)
            places.leave(place)

    threads = [threading.Thread(target=serve) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(3000):
        places.ask(random.choice([*"abc", None]), begin)
        most[0] = max(most[0], len(queue))
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "somebody was forgotten"
    assert len(done) == 3000
    asked = [places.ask(client, begin) for client in "aabbc"]
    assert all(place.held for place in asked)


def test_beside_others_a_client_gets_less() -> None:
    now = 0.0
    got: list[Place] = []
    places = Places(8, 4, beside=2, company=Company(lambda: now))

    def ask(client: Hashable) -> Place:
        return places.ask(client, got.append)

    def held(client: Hashable) -> int:
        return sum(place.held for place in got if place.client == client)

    alone = [ask("a") for _ in range(6)]
    assert held("a") == 4, "a half while nobody else is there"
    ask("b")
    places.leave(alone[0])
    assert held("a") == 3
    places.leave(alone[1])
    assert held("a") == 2
    places.leave(alone[2])
    assert held("a") == 2, "what is free by now is for others"
    now = LATELY + 0.1
    places.leave(alone[3])
    assert held("a") == 2, "all that had waited"


def test_who_comes_to_be_alone_gets_more_without_asking() -> None:
    now = 0.0
    got: list[Place] = []
    places = Places(8, 4, beside=2, company=Company(lambda: now))
    places.leave(places.ask("b", got.append))
    for _ in range(6):
        places.ask("a", got.append)
    places.look()
    assert len(got) == 3
    now = LATELY + 0.1
    places.look()
    assert len(got) == 5


def test_strangers_are_never_alone() -> None:
    got: list[Place] = []
    places = Places(8, 4, beside=2, company=Company())
    for _ in range(4):
        places.ask(None, got.append)
    assert len(got) == 2
    assert places.rename(got[0], "a")
    assert [place.client for place in got] == ["a", None, None]


def test_who_has_none_finds_one_beside_some_who_take_all_they_can() -> None:
    got: list[Place] = []
    places = Places(64, 32, spare=16)
    greedy = [places.ask(f"greedy {number}", got.append) for number in range(8) for _ in range(40)]
    held = [sum(place.held for place in greedy[at : at + 40]) for at in range(0, len(greedy), 40)]
    assert held == [32, 16, 1, 1, 1, 1, 1, 1]
    newcomer = places.ask("new", got.append)
    assert newcomer.held
    places.leave(newcomer)
    places.leave(greedy[0])
    assert not greedy[32].held, "what is given back is for those who have none"
    assert not places.rename(places.ask(None, got.append), "greedy 0"), "whoever they said they are"


def test_what_was_spared_is_given_out_as_others_leave() -> None:
    got: list[Place] = []
    places = Places(8, 6, spare=2)
    first, waits = ([places.ask(client, got.append) for _ in range(4)] for client in "ab")
    assert [place.held for place in waits] == [True, True, False, False]
    places.leave(first[0])
    assert waits[2].held
    assert not waits[3].held


def test_beside_one_who_asks_for_one_thing_after_the_other_a_flood_has_one() -> None:
    now = 0.0
    got: list[Place] = []
    places = Places(8, 4, beside=2, just_beside=1, company=Company(lambda: now))

    def held(client: Hashable) -> int:
        return sum(place.held for place in got if place.client == client)

    def next_of(client: Hashable) -> None:
        places.leave(next(place for place in got if place.held and place.client == client))

    # Of strangers who are known to nobody the same is true.
    for flood in ("flood", None):
        now += 10
        other = places.ask("quick", got.append)
        for _ in range(8):
            places.ask(flood, got.append)
        assert held(flood) == 1
        places.leave(other)
        next_of(flood)
        assert held(flood) == 1, "the quick one has just been there, and may be back"
        now += JUST_NOW + 0.01
        next_of(flood)
        assert held(flood) == 2, "it is not at it any more"
        places.ask("quick", got.append)
        next_of(flood)
        assert (held(flood), held("quick")) == (1, 1)
        next_of("quick")
        now += 10
        while held(flood):
            next_of(flood)


def test_two_floods_have_two_each() -> None:
    got: list[Place] = []
    places = Places(8, 4, beside=2, just_beside=1, company=Company(lambda: 0.0))
    for _ in range(4):
        for flood in "ab":
            places.ask(flood, got.append)
    for _ in range(2):
        places.leave(got[0])
        got.pop(0)
    assert sorted(str(place.client) for place in got if place.held) == ["a", "a", "b", "b"]
