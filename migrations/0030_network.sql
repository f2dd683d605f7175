-- What of the network a version's calls can reach: nothing, unless it asks for it.
alter table function_version
    add network text not null default 'none' check (network in ('none', 'egress'));
