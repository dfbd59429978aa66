"""A backup is one file that holds everything; it comes back into an empty database, and into no other."""

import stat

import psycopg
import pytest

from adapters.store.dumping import BackupFailed, back_up, restore
from adapters.store.migrate import migrate
from replay.verify import verify
from tests.backups import backup
from tests.projecting import by, opened, projecting, save, stored


async def test_what_is_written_comes_back_whole_and_goes_on(database):
    async with stored(database) as store, projecting(database) as projector:
        with by():
            await save(store, opened(await store.next_number()))
        assert await projector.wait_for(1, 30)
        with backup(database) as restored:  # while the service runs
            assert (await verify(restored)).ok
            async with stored(restored) as again, projecting(restored) as anew:
                assert await again.next_number() == 2
                with by():
                    await save(again, opened(2))
                assert await anew.wait_for(2, 30)
            result = await verify(restored)
            assert (result.ok, result.events) == (True, 2), result.findings


async def test_a_backup_without_the_projections_is_whole(database):
    async with stored(database) as store, projecting(database) as projector:
        with by():
            await save(store, opened(1))
        assert await projector.wait_for(1, 30)
    with backup(database) as restored:
        with psycopg.connect(restored, autocommit=True) as connection:
            connection.execute(
                "DROP SCHEMA view CASCADE"
            )  # as pg_dump --exclude-schema=view leaves it
        await migrate(restored)
        async with projecting(restored) as projector:
            assert await projector.wait_for(1, 30)
        assert (await verify(restored)).ok


def test_a_backup_is_for_its_owner_and_replaces_nothing(database, tmp_path):
    file = tmp_path / "ledger.backup"
    back_up(database, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        back_up(database, file)
    with pytest.raises(BackupFailed, match="holds a ledger"):
        restore(database, file)


def test_what_is_no_backup_leaves_an_empty_database(bare_database, tmp_path):
    file = tmp_path / "ledger.backup"
    file.write_bytes(b"PGDMP but no more")
    for _ in range(2):
        with pytest.raises(BackupFailed, match="pg_restore failed"):
            restore(bare_database, file)
