"""Programs that run elsewhere: in a build container or on a board. They import nothing of ours."""
