"""From a commit in a repository to a package in ThingsBoard that boards can install."""
