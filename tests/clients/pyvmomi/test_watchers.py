"""Ten watchers follow a hundred tasks: none misses a state, none sees one out of order."""

import queue
import threading
import unittest

from pyVim.connect import Disconnect
from pyVmomi import vim

from vcenter import PATIENCE, PC, LoggedIn, State, connect

WATCHERS = 10
TASKS = 100
STEPS = [(State.running, None), (State.running, 40), (State.running, 80), (State.success, None)]


class Follower(threading.Thread):
    """A session of its own that follows all tasks through one view."""

    def __init__(self, moids):
        super().__init__(daemon=True)
        self.moids, self.seen, self.failure = moids, queue.Queue(), None
        self.now = {moid: (None, None) for moid in moids}
        self.start()

    def run(self):
        si = connect()
        try:
            self.follow(si)
        except Exception as error:  # shown by whoever waits for the next step
            self.seen.put(error)
        finally:
            Disconnect(si)

    def follow(self, si):
        tasks = [vim.Task(moid, si._stub) for moid in self.moids]
        view = si.content.viewManager.CreateListView(tasks)
        to_tasks = PC.TraversalSpec(type=vim.view.ListView, path="view", skip=False)
        collector = si.content.propertyCollector
        collector.CreateFilter(
            PC.FilterSpec(
                objectSet=[PC.ObjectSpec(obj=view, skip=True, selectSet=[to_tasks])],
                propSet=[PC.PropertySpec(type=vim.Task, pathSet=["info.state", "info.progress"])],
            ),
            True,
        )
        version, left = "", set(self.moids)
        while left:
            options = PC.WaitOptions(maxWaitSeconds=PATIENCE)
            updates = collector.WaitForUpdatesEx(version, options)
            if updates is None:
                raise TimeoutError(f"nothing happened in {PATIENCE} seconds")
            version = updates.version
            for update in updates.filterSet[0].objectSet:
                moid = update.obj._GetMoId()
                state, progress = self.now[moid]
                for change in update.changeSet:
                    if change.name == "info.state":
                        state = change.val
                    else:
                        progress = change.val
                self.now[moid] = (state, progress)
                self.seen.put((moid, state, progress))
                if state in (State.success, State.error):
                    left.discard(moid)

    def step(self, moids, expected):
        """Every one of the tasks comes to be as expected, and is nothing else before."""
        left = set(moids)
        while left:
            seen = self.seen.get(timeout=PATIENCE)
            if isinstance(seen, Exception):
                raise seen
            moid, state, progress = seen
            if (state, progress) != expected or moid not in left:
                raise AssertionError(f"{moid} is {state} at {progress}, not {expected}")
            left.discard(moid)

    def history(self, moids):
        """What is seen of each task until it ends."""
        seen = {moid: [] for moid in moids}
        left = set(moids)
        while left:
            change = self.seen.get(timeout=PATIENCE)
            if isinstance(change, Exception):
                raise change
            moid, state, progress = change
            seen[moid].append((state, progress))
            if state in (State.success, State.error):
                left.discard(moid)
        return seen


class Watchers(LoggedIn):
    def move(self, task, step):
        state, progress = step
        if progress is None:
            task.SetTaskState(state)
        else:
            task.UpdateProgress(progress)

    def test_ten_watchers_of_a_hundred_tasks(self):
        tasks = [self.create_task() for _ in range(TASKS)]
        moids = [task._GetMoId() for task in tasks]
        followers = [Follower(moids) for _ in range(WATCHERS)]
        for follower in followers:
            follower.step(moids, (State.queued, None))

        # Half of the tasks move when everybody has seen the step before: nobody misses one.
        slow, fast = tasks[: TASKS // 2], tasks[TASKS // 2 :]
        for step in STEPS:
            for task in slow:
                self.move(task, step)
            for follower in followers:
                follower.step(moids[: TASKS // 2], step)

        # The others move as fast as they can: steps may be told as one, but never backwards.
        for task in fast:
            for step in STEPS:
                self.move(task, step)
        for follower in followers:
            for moid, history in follower.history(moids[TASKS // 2 :]).items():
                places = [STEPS.index(step) for step in history]
                self.assertEqual(places, sorted(set(places)), moid)
                self.assertEqual(history[-1], STEPS[-1], moid)
        for follower in followers:
            follower.join(PATIENCE)
            self.assertTrue(follower.seen.empty())


if __name__ == "__main__":
    unittest.main()
