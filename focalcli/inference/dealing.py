"""Photos dealt to the ranks in runs of neighbours, and their results in order again.

Every photo is looked at by one rank, none is looked at twice to make shares even. Rank 0 has all results.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, NoReturn, TypeVar
from zlib import crc32

from focalcli.errors import DataError
from focalcli.inference.sources import Source
from focalcli.inference.stream import Result

if TYPE_CHECKING:
    from focalcli.ranks.world import World  # which needs torch; a single process may have none

T = TypeVar("T")


@dataclass(slots=True)
class Deal:
    """The ranks that share the photos; without a world, this process takes them all."""

    world: "World | None" = None
    run: int = 4  # photos
    _listed: int = 0  # changes with every name that was listed

    @property
    def speaks(self) -> bool:
        """Say whether this rank talks and writes."""
        return self.world is None or self.world.speaks

    def device(self, named: str) -> str:
        """Give the device to compute on: this rank's, else the one that is named."""
        return named if self.world is None else str(self.world.device)

    def once(self, make: Callable[[], Iterable[T]]) -> Iterable[T]:
        """Give what `make` gives, made on rank 0 alone: standard input can be read once."""
        if self.world is None or self.world.size == 1:
            return make()
        return self.world.from_first(lambda: list(make()))

    def mine(self, items: Sequence[T]) -> Sequence[T]:
        """Give the items that are this rank's own: every so-many-th."""
        return items if self.world is None else items[self.world.rank :: self.world.size]

    def gather(self, mine: T) -> list[T]:
        """Give what every rank has, in the order of ranks."""
        return [mine] if self.world is None else self.world.gather(mine)

    def my_sources(self, sources: Iterable[Source]) -> Iterator[Source]:
        """Give the photos of this rank, runs of neighbours; all ranks must be given the same photos."""
        rank, size = (0, 1) if self.world is None else (self.world.rank, self.world.size)
        for i, source in enumerate(sources):
            self._listed = crc32(source.name.encode("utf-8", "surrogateescape"), self._listed) + 1
            if i // self.run % size == rank:
                yield source

    def in_order(self, results: Iterator[Result]) -> Iterator[Result]:
        """Give the results of all ranks in the order of the photos, on rank 0; all ranks must read to the end.

        A result of another rank has neither pixels nor a way to read them.

        Raises:
            DataError: the ranks were given different photos.
        """
        if self.world is None or self.world.size == 1:
            yield from results
            return
        while True:
            mine = [_portable(result) for result in islice(results, self.run)]
            everyone = self.world.gather(mine)
            if not any(everyone):
                break
            if self.world.speaks:
                yield from chain.from_iterable(everyone)
        if len(set(self.world.gather(self._listed))) > 1:
            raise DataError("photos", "changed while they were listed: ranks saw different ones", "run it again")


def _portable(result: Result) -> Result:
    return replace(result, source=replace(result.source, read=_elsewhere), pixels=None)


def _elsewhere() -> NoReturn:
    raise AssertionError("this photo was read by another rank")
