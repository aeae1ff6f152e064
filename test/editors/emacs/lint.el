;;; lint.el --- What a package archive asks of korproxy.el  -*- lexical-binding: t; -*-

;;; Code:

(require 'checkdoc)
(require 'package-lint)

;; What is installed is enough to know the names of Emacs; nothing is looked up.
(setq package-archives nil)

(let ((file (car command-line-args-left)) found)
  (setq command-line-args-left nil)
  (with-current-buffer (find-file-noselect file)
    (pcase-dolist (`(,line ,_ ,kind ,text) (package-lint-buffer))
      (push (format "%s:%s: %s: %s" file line kind text) found))
    (let ((checkdoc-create-error-function
           (lambda (text start _end &optional _unfixable)
             (push (format "%s:%s: checkdoc: %s" file (line-number-at-pos (or start (point))) text) found)
             nil))
          (checkdoc-autofix-flag nil))
      (checkdoc-current-buffer t)))
  (dolist (line (nreverse found)) (message "%s" line))
  (kill-emacs (if found 1 0)))
;;; lint.el ends here
