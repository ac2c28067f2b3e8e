{{/* (claimed + ready slices) / slots of a line, as PromQL. A small batch is done as a whole and has no
slice that others see, but is in line until it has ended: of those as many are added as there are slots.
Every web process gives the same figures, so that the greatest of all is taken and not their sum. `root`,
`component`. */}}
{{- define "batchline.load" -}}
{{- $labels := include "batchline.prometheus.labels" .root -}}
{{- $line := ternary "slow" "fast" (eq .component "slow") -}}
{{- $slots := printf "clamp_min(max(batchline_worker_slots{queue=%q%s}) or vector(0), 1)" $line $labels -}}
{{- $slices := printf "(sum(max by (state, queue) (batchline_slices{state=~%q,queue=%q%s})) or vector(0))" "READY|CLAIMED" $line $labels -}}
{{- $waiting := printf "(max(batchline_batches_in_line{queue=%q%s}) or vector(0))" $line $labels -}}
({{ $slices }} + clamp_max({{ $waiting }}, scalar({{ $slots }}))) / {{ $slots }}
{{- end -}}

{{/* Batches that have begun or are to begin: while there are any, somebody has to be there. */}}
{{- define "batchline.unfinished" -}}
sum(max by (status, operation) (batchline_batches{status=~"PENDING|RUNNING"{{ include "batchline.prometheus.labels" .root }}})) or vector(0)
{{- end -}}

{{- define "batchline.prometheus.labels" -}}
{{- range $name, $value := .Values.autoscaling.prometheus.labels -}}
,{{ $name }}={{ $value | quote }}
{{- end -}}
{{- end -}}
