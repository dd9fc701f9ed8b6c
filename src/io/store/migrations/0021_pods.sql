-- Names of the pod of a life in the lists with which it was pulled, as a JSON list; NULL: none. Another pod may have its
-- address later.
ALTER TABLE process ADD COLUMN pods TEXT;
