-- The address of a life answers for several processes with the same names, as a load balancer does.
ALTER TABLE process ADD COLUMN is_shared INTEGER NOT NULL DEFAULT 0;
