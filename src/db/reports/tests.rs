//! Tests of the records of jobs.

use super::*;

#[test]
fn rows_that_schema_5_shared_are_each_stores_own_again() {
    let rows = [[1; 12], [2; 12], [3; 12]];
    let numbers = [[1, 0], [255, 255], [0, 0], [1, 0]].as_flattened().to_vec();
    let shared = [numbers, rows[1..].as_flattened().to_vec()].concat();
    let all = [rows[2], rows[0], rows[1], rows[2]];
    assert_eq!(own_rows(4, &rows[0], &shared), all.as_flattened());
    assert_eq!(own_rows(4, &[], &shared), rows[2]);
    assert!(own_rows(400, &rows[0], &shared).is_empty());
}
