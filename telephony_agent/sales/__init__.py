"""The pure sales side: the playbook and what it says of a conversation."""
