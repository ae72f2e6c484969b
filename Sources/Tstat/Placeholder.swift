enum TstatPlaceholder {}
