-- An address at which an agent answers carries no suspicion any more, whatever it serves.
DELETE FROM suspicion WHERE finding = 'other_program';
