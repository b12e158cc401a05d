"""The Qdrant node's data folder: which collections and aliases there are, and their shards.

DATA/node.lock          held while a node runs
DATA/collections.json   collections by name, with folder and configuration; and aliases
DATA/shards/ID          one shard of the engine; what is not listed is removed at the start
"""

import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path
from threading import RLock
from typing import Any
from uuid import uuid4

import orjson

from flotilla.errors import ConfigurationError
from flotilla.local.qdrant.errors import BadRequest, Missing, Taken, parsing
from flotilla.local.qdrant.schema import to_edge_config
from flotilla.local.qdrant.shard import Shard

FORBIDDEN = frozenset('<>:"/\\|?*\0\x1f')  # in a collection's name, as on the server
LONGEST_NAME = 255


class Store:
    """The collections of one data folder.

    Args:
        data: the folder; made if it is not there.

    Raises:
        ConfigurationError: another node has the folder open.
    """

    def __init__(self, data: Path) -> None:
        self._shards_dir = data / "shards"
        self._catalogue = data / "collections.json"
        self._shards_dir.mkdir(parents=True, exist_ok=True)
        self._lock_file = (data / "node.lock").open("w")
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock_file.close()
            raise ConfigurationError(
                f"The folder {data} is open in another Qdrant node: stop that one, "
                "or give this one another folder."
            ) from None
        self._changing = RLock()
        self._shards: dict[str, Shard] = {}
        self._aliases: dict[str, str] = {}
        self._open()

    def _open(self) -> None:
        with suppress(FileNotFoundError):
            saved = orjson.loads(self._catalogue.read_bytes())
            self._aliases = saved["aliases"]
            for name, entry in saved["collections"].items():
                self._shards[name] = Shard(
                    self._shards_dir / entry["folder"],
                    entry["created"],
                    optimized=entry["optimized"],
                )
        # A crash between two steps leaves folders behind that nothing refers to.
        listed = {shard.folder for shard in self._shards.values()}
        for folder in self._shards_dir.iterdir():
            if folder not in listed:
                shutil.rmtree(folder, ignore_errors=True)

    def save(self) -> None:
        """Write the catalogue: whole or not at all, and on the disk when this returns."""
        with self._changing:
            body = {
                "collections": {
                    name: {
                        "folder": shard.folder.name,
                        "created": shard.created,
                        "optimized": shard.optimized,
                    }
                    for name, shard in self._shards.items()
                },
                "aliases": self._aliases,
            }
            fresh = self._catalogue.with_suffix(".new")
            with fresh.open("wb") as file:
                file.write(orjson.dumps(body, option=orjson.OPT_INDENT_2))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._catalogue)
            folder = os.open(self._catalogue.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)

    # --- collections ---------------------------------------------------------------------------

    def __contains__(self, name: str) -> bool:
        return self._aliases.get(name, name) in self._shards

    def __getitem__(self, name: str) -> Shard:
        """The shard of a collection, by the collection's name or an alias.

        Raises:
            Missing: there is none.
        """
        shard = self._shards.get(self._aliases.get(name, name))
        if shard is None:
            raise Missing(f"Not found: Collection `{name}` doesn't exist!")
        return shard

    def names(self) -> list[str]:
        """The collections' names, without aliases."""
        return sorted(self._shards)

    def shards(self) -> list[Shard]:
        """Every collection's shard."""
        with self._changing:
            return list(self._shards.values())

    def create(self, name: str, body: Any) -> None:
        """Make a collection.

        Raises:
            BadRequest: a wrong name or configuration.
            Taken: there is a collection or alias of this name.
            Unimplemented: the configuration asks for what the node does not have.
        """
        if not 0 < len(name) <= LONGEST_NAME or FORBIDDEN & set(name):
            raise BadRequest(f"Wrong input: {name!r} cannot be the name of a collection")
        with self._changing:
            if name in self:
                raise Taken(f"Wrong input: Collection `{name}` already exists!")
            with parsing():
                config = to_edge_config(body)
            self._shards[name] = Shard(self.new_folder(), body, config=config)
            self.save()

    def delete(self, name: str) -> bool:
        """Remove a collection and its aliases; False if there is none of this very name."""
        with self._changing:
            shard = self._shards.pop(name, None)
            if shard is None:
                return False
            self._aliases = {a: target for a, target in self._aliases.items() if target != name}
            self.save()
        shard.close()
        shutil.rmtree(shard.folder, ignore_errors=True)
        return True

    def new_folder(self) -> Path:
        """A folder for a shard that does not exist yet."""
        return self._shards_dir / uuid4().hex

    # --- aliases -------------------------------------------------------------------------------

    def aliases(self, name: str | None = None) -> list[tuple[str, str]]:
        """Alias and collection of every alias, or of one collection's."""
        return sorted(
            (alias, target) for alias, target in self._aliases.items() if name in (None, target)
        )

    def change_aliases(self, actions: list[dict[str, dict[str, str]]]) -> None:
        """Apply all the actions at once, or none of them.

        Raises:
            BadRequest: an action of an unknown kind.
            Missing: a collection or an alias to rename that is not there.
            Taken: an alias would hide a collection.
        """
        with self._changing:
            aliases = dict(self._aliases)
            for action in actions:
                with parsing():
                    ((kind, names),) = action.items()
                    self._change_alias(aliases, kind, names)
            self._aliases = aliases
            self.save()

    def _change_alias(self, aliases: dict[str, str], kind: str, names: dict[str, str]) -> None:
        if kind == "create_alias":
            alias, target = names["alias_name"], names["collection_name"]
            if target not in self._shards:
                raise Missing(f"Not found: Collection `{target}` doesn't exist!")
            if alias in self._shards:
                raise Taken(f"Wrong input: Collection `{alias}` already exists!")
            aliases[alias] = target
        elif kind == "rename_alias":
            if names["old_alias_name"] not in aliases:
                raise Missing(f"Not found: Alias `{names['old_alias_name']}` does not exist!")
            aliases[names["new_alias_name"]] = aliases.pop(names["old_alias_name"])
        elif kind == "delete_alias":
            aliases.pop(names["alias_name"], None)
        else:
            raise BadRequest(f"Format error in JSON body: no such alias operation {kind!r}")

    def close(self) -> None:
        """Flush and release everything."""
        with self._changing:
            for shard in self._shards.values():
                shard.close()
            self.save()
            self._lock_file.close()
