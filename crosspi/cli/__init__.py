"""The command line: Invoke's program, a task's session, the tasks' bodies, the doctor."""
