"""A FUSE session of our own, whose descriptor outlives the process that answers.

Three processes, each with one duty, so that each can die:

- the *holder* (holder.py) holds the descriptors. It starts spawners, and little else: it imports
  almost nothing and reads nothing that a container can write.
- the *spawner* (spawner.py) has everything imported and forks servers. When one dies, the next is
  there in a few milliseconds; when one stops answering, the spawner replaces it.
- the *server* (server.py) answers. What its successor must know is in shared memory (memory.py)
  before the answer is out: the request in hand, its reply, the open files.

New code comes in as a new spawner beside the old one, which is ended when the new one is ready.
"""
